"""Everything that each function does, done once by the functions themselves: what they use then is what they need."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from chalicelib.aws.expressions import encode, encode_key
from chalicelib.domain import lanes as domain
from chalicelib.domain.ids import bucket_of, job_id, run_id
from chalicelib.domain.job import Job
from chalicelib.domain.lanes import Lane
from chalicelib.engine.audit.pulse import pulse_key
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import encode_job
from chalicelib.engine.ringing.journal import GRACE_MS, encode_pages
from chalicelib.engine.wheel.timers import GateTimer, JobTimer, RunTimer, Timer, encode_timer
from chalicelib.executors import registry
from chalicelib.ports.table import Item
from infra.local import job_role
from infra.local.fixtures import Stack
from infra.local.stack import STAGE
from tests.e2e.conftest import Api, in_seconds, ms
from tests.e2e.people import Newcomer
from tests.support.aws import emulated
from tests.support.oidc.refusing import refusing_provider
from tests.support.target import target
from tests.support.waiting import eventually

LANES: dict[str, dict[str, Any]] = {
    "fast": {"timeout_seconds": 30},
    "urgent": {"timeout_seconds": 30, "priority": "high"},
    "long": {"timeout_seconds": 100},
}
"""A lane, and what of a job leads to it."""
CALLED_FOR: dict[Lane, str] = {
    registry.lane(each): each for each in registry.types() if registry.lane(each) not in LANES
}
"""The other lanes with a type that calls for them: all workers are one code, so these show only how runs get there."""
SHARDS, TENANT, MANUAL = 64, "local", {"kind": "manual"}


@dataclass(frozen=True)
class Flows:
    api: Api
    stack: Stack

    def all(self) -> None:
        """Each once in each lane. What a pause misses is skipped when it ends."""
        paused = self._job("fast", "* * * * * *", misfire={"policy": "skip", "grace_seconds": 1})
        self.api.post(f"/jobs/{paused['id']}/pause")
        since = time.monotonic()
        self.jobs()
        self.calendars()
        self.trail()
        self.accounts()
        for lane in LANES:
            self.runs(lane)
            self.work(lane)
            self.dead_letters(lane)
            self.slots(lane)
            self.callbacks(lane)
            self.failures(lane)
            self.secrets(lane)
            self.files(lane)
            self.backfill(lane)
        for lane in CALLED_FOR:
            self.called_for(lane)
        self.roles()
        self.single_sign_on()
        self.report()
        self.late_timers()
        self.audit()
        self.repair()
        self.backfill_without_workers()
        eventually(lambda: time.monotonic() - since > 3)
        self.api.post(f"/jobs/{paused['id']}/resume")
        self.api.call("DELETE", f"/jobs/{paused['id']}")

    def accounts(self) -> None:
        """Somebody registers, gets mail, signs in, and out."""
        ada = Newcomer(self.stack)
        ada.register()
        ada.ask("POST", "/auth/verify", {"token": ada.mail_token("Confirm")})
        ada.login()
        ada.refresh()
        ada.ask("GET", "/auth/sessions")
        ada.ask("POST", "/auth/logout", status=204)

    def jobs(self) -> None:
        """The routes of jobs, of their revisions and timeline, and of health."""
        job = self._job("fast", {"kind": "manual"})
        path = f"/jobs/{job['id']}"
        self.api.call("PATCH", path, json={"description": "patched"})
        self.api.call("PUT", path, json={"name": "put", "type": "dummy", "schedule": {"kind": "manual"}})
        self.api.post(f"{path}/rollback", {"revision": 1})
        parts = ("", "/upcoming", "/runs", "/timeline", "/backfills", "/revisions", "/revisions/2/diff")
        for read in ("/jobs", "/health", *(path + part for part in parts)):
            self.api.get(read)
        self.api.call("DELETE", path)

    def calendars(self) -> None:
        """The routes of calendars, with a job that one of them arms."""
        path = "/calendars/flows"
        self.api.post("/calendars", {"name": "flows", "excluded": {"weekdays": ["SAT"]}})
        job = self._job("fast", "0 0 9 * * *", calendar="flows")
        self.api.call("PATCH", path, json={"excluded": {"weekdays": ["SUN"]}})
        for read in ("/calendars", path, f"{path}/days"):
            self.api.get(read)
        self.api.call("DELETE", f"/jobs/{job['id']}")
        assert self.api.call("DELETE", path).ok

    def trail(self) -> None:
        """The routes of the audit trail, which has told of what was done so far."""
        [entry] = self.api.get("/audit?operation=POST%20/calendars&limit=1")["items"]
        assert self.api.get(f"/audit/{entry['seq']}")["hash"] == entry["hash"]
        assert self.api.get("/audit/verification")["ok"]

    def runs(self, lane: str) -> None:
        """The routes of runs and dead letters: one is redriven, another purged."""
        job = self._job(lane, {"kind": "manual"}, config={"outcome": "failure"}, retry={"max_attempts": 1})
        first, second = (self.api.post(f"/jobs/{job['id']}/trigger") for _ in range(2))
        eventually(lambda: len(self.api.runs(job, "FAILED")) == 2)
        assert len(self.api.get("/runs?limit=2")["items"]) == 2
        assert self.api.get("/dead-letters?limit=1")["items"]
        self.api.post(f"/dead-letters/{first['id']}/redrive")
        assert self.api.call("DELETE", f"/dead-letters/{second['id']}").ok

    def work(self, lane: str) -> None:
        """A run alone and many of one moment; a retry; a message that is too early, and one of each other lane's."""
        due = ms(in_seconds(0))
        plain = self._job(lane, {"kind": "manual"})
        failing = self._failing(lane, delay_seconds=1)
        self._deliver(lane, "worker", [_message(plain, due)])
        self._deliver(lane, "worker", [_message(plain, due - 1000 * each) for each in range(1, 11)])
        self._deliver(lane, "worker", [_message(failing, due), _message(plain, due + 60_000)])
        for other in LANES.keys() - {lane}:
            self._deliver(lane, "worker", [_message(self._job(other, {"kind": "manual"}), due)])
        eventually(lambda: self.api.runs(failing, "FAILED"))

    def roles(self) -> None:
        """A run that uses AWS as the role that its job names."""
        sqs = self.stack.client("sqs")
        url = sqs.create_queue(QueueName="flows")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        queue = {"kind": "sqs", "arn": arn, "role_arn": job_role.ARN}
        config = {"queue": queue, "operation": {"action": "publish", "messages": [{"body": "hello"}]}}
        job = self.api.job(MANUAL, type="message_queue", config=config)
        self.api.post(f"/jobs/{job['id']}/trigger")
        eventually(lambda: self.api.runs(job, "SUCCEEDED"), seconds=60)

    def report(self) -> None:
        """One of a job's runs."""
        source = {"kind": "runs", "jobs": [self._job("fast", MANUAL)["id"]]}
        config = {"title": "Runs", "format": "csv", "sections": [{"title": "Runs", "source": source}]}
        job = self.api.job(MANUAL, type="report", config=config)
        self.api.post(f"/jobs/{job['id']}/trigger")
        eventually(lambda: self.api.runs(job, "SUCCEEDED"), seconds=60)

    def called_for(self, lane: Lane) -> None:
        """A run of a type that calls for the lane, whatever becomes of it; and each other worker moves its message."""
        job = self._example(lane)
        self.api.post(f"/jobs/{job['id']}/trigger")
        eventually(lambda: self.api.runs(job, "SUCCEEDED", "FAILED"), seconds=60)
        for other in domain.LANES:
            if other != lane:
                self._deliver(other, "worker", [_message(job, ms(in_seconds(0)))])

    def dead_letters(self, lane: str) -> None:
        """What a dead-letter queue brings: of an unknown run, of one to be retried, of one that is executed."""
        due, failing = ms(in_seconds(0)), self._failing(lane, delay_seconds=600)
        self._deliver(lane, "worker", [_message(failing, due)])
        waiting = replace(_message(failing, due), attempt=2)
        with target() as server, ThreadPoolExecutor(1) as pool:
            server.gate.clear()
            http = {"type": "http", "config": {"url": server.url}, **LANES[lane]}
            slow = self.api.job({"kind": "manual"}, **http)
            executed, unknown = _message(slow, due), _message(slow, due - 1000)
            working = pool.submit(self._deliver, lane, "worker", [executed])
            eventually(lambda: server.calls)
            self._deliver(lane, "dlq", [unknown, waiting, executed])
            server.gate.set()
            working.result()

    def slots(self, lane: str) -> None:
        """One run leaves its slot; another keeps it between its attempts, until it is cancelled for one that waits."""
        due = ms(in_seconds(0))
        one = {"concurrency": {"policy": "queue"}}
        self._deliver(lane, "worker", [_message(self._job(lane, {"kind": "manual"}, **one), due)])
        failing = self._failing(lane, delay_seconds=600, **one)
        holder, waiting = _message(failing, due), _message(failing, due + 1)
        self._deliver(lane, "worker", [holder])
        self._deliver(lane, "worker", [waiting])
        assert self.api.get(f"/runs/{waiting.run_id}")["status"] == "PENDING"
        assert self.api.post(f"/runs/{holder.run_id}/cancel")["status"] == "CANCELLED"
        eventually(lambda: self.api.get(f"/runs/{waiting.run_id}")["status"] == "RETRYING")

    def callbacks(self, lane: str) -> None:
        """One is accepted in a slot, shows progress and succeeds; one comes too late, and is retried."""
        with target() as server:
            http = {"type": "http", "config": {"url": server.url}, **LANES[lane]}
            wanted = {**http, "concurrency": {"policy": "queue"}, "callback": {"deadline_seconds": 60}}
            job, due = self.api.job(MANUAL, **wanted), ms(in_seconds(0))
            self._deliver(lane, "worker", [_message(job, due)])
            (call,) = server.calls
            url = call.headers["x-chronos-callback-url"]
            for name, body in (("progress", {"percent": 50}), ("success", {"result": 1})):
                assert requests.post(f"{url}/{name}", json=body, timeout=30).status_code == 200
            late = self.api.job(MANUAL, **{**http, "callback": {"deadline_seconds": 1}})
            message = _message(late, due)
            self._deliver(lane, "worker", [message])
            eventually(lambda: self.api.get(f"/runs/{message.run_id}")["status"] == "RETRYING")

    def secrets(self, lane: str) -> None:
        """A run whose job names a secret of each store."""
        name = f"flows_{token_bytes(4).hex()}"
        self.keep_secret(name, "a secret")
        output = ["${{ secrets." + name + " }}", "${{ secretsmanager." + name + " }}"]
        job = self._job(lane, MANUAL, config={"output": output})
        message = _message(job, ms(in_seconds(0)))
        self._deliver(lane, "worker", [message])
        [attempt] = self.api.get(f"/runs/{message.run_id}")["attempts"]
        assert attempt["result"] == {"output": ["***", "***"]}, attempt

    def keep_secret(self, name: str, text: str) -> None:
        """In both stores, as the tenant's owner does."""
        wanted = f"chronos/{STAGE}/secrets/{TENANT}/{name}"
        self.stack.client("ssm").put_parameter(Name=f"/{wanted}", Value=text, Type="SecureString")
        manager = self.stack.client("secretsmanager")
        manager.create_secret(Name=f"chronos/{STAGE}/{TENANT}/{name}", SecretString=text)

    def single_sign_on(self) -> None:
        """The routes of single sign-on, up to a provider that takes no code."""
        secret = f"sso_{token_bytes(4).hex()}"
        self.keep_secret(secret, "hunter2")
        with refusing_provider() as issuer:
            wanted = {
                "issuer": issuer,
                "client_id": "flows",
                "client_secret": "${{ secrets." + secret + " }}",
            }
            assert self.api.call("PUT", "/tenant/sso", json={**wanted, "email_domains": ["example.com"]}).ok
            browser, start = requests.Session(), f"{self.api.url}/auth/sso/{TENANT}"
            sent = browser.get(start, allow_redirects=False, timeout=30)
            state = parse_qs(urlsplit(sent.headers["Location"]).query)["state"][0]
            back = browser.get(f"{start}/callback", params={"state": state, "code": "none"}, timeout=30)
            assert (back.status_code, back.json()["code"]) == (409, "provider_fault"), back.text
            assert self.api.call("DELETE", "/tenant/sso").ok

    def failures(self, lane: str) -> None:
        """A worker and a dead-letter queue each pause a job after one failure."""
        due, wanted = ms(in_seconds(0)), {"retry": {"max_attempts": 1}, "pause_after_failures": 1}
        for role in ("worker", "dlq"):
            job = self._job(lane, {"kind": "manual"}, config={"outcome": "failure"}, **wanted)
            self._deliver(lane, role, [_message(job, due)])
            assert self.api.get(f"/jobs/{job['id']}")["pause"]["cause"] == "failures"

    def files(self, lane: str) -> None:
        """A run stores a file, and somebody fetches it."""
        message = _message(self._job(lane, MANUAL, config={"file_bytes": 10}), ms(in_seconds(0)))
        self._deliver(lane, "worker", [message])
        [file] = self.api.get(f"/runs/{message.run_id}/outputs")["items"]
        assert requests.get(file["url"], timeout=30).content == bytes(10)

    def backfill(self, lane: str) -> None:
        """Each worker that ends a run of it claims the next."""
        begun = self._backfill(self._job(lane, "0 * * * *"), "none")
        eventually(lambda: self.api.get(f"/backfills/{begun['id']}")["status"] == "completed")

    def backfill_without_workers(self) -> None:
        """The dispatcher claims the next: of what was never done, then of the same again, until it is cancelled."""
        job = self._failing("fast", delay_seconds=600, schedule="0 * * * *")
        for reprocess in ("none", "all"):
            begun = self._backfill(job, reprocess)
            self._cancel_active(begun)
            self.tick()
            self._cancel_active(begun)
        assert self.api.post(f"/backfills/{begun['id']}/cancel")["status"] == "cancelled"

    def _backfill(self, job: Any, reprocess: str) -> Any:
        """Of the last three whole hours."""
        end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        asked = {"start": (end - timedelta(hours=3)).isoformat(), "end": end.isoformat()}
        return self.api.post(f"/jobs/{job['id']}/backfills", {**asked, "reprocess": reprocess})

    def _cancel_active(self, begun: Any) -> None:
        """The backfill's active run, once it waits for its retry."""
        [run] = eventually(lambda: self.api.get(f"/backfills/{begun['id']}")["active_runs"])
        eventually(lambda: self.api.get(f"/runs/{run}")["status"] == "RETRYING")
        self.api.post(f"/runs/{run}/cancel")

    def late_timers(self) -> None:
        """Two timers of runs, as an interrupted trigger leaves them; of a job that is far too late; of a gate."""
        now = ms(in_seconds(0))
        self._put_timer(GateTimer(0, TENANT, "tenant", now, "flows"))
        late = self._job("fast", "0 0 0 1 1 *", misfire={"policy": "skip", "grace_seconds": 1})
        new_year = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC).isoformat()
        self._put_timer(JobTimer(_shard(late), TENANT, late["id"], 1, ms(new_year)))
        jobs = [self._job(lane, MANUAL) for lane in LANES] + [self._example(lane) for lane in CALLED_FOR]
        for job in jobs:
            self._put_timer(RunTimer(_shard(job), _message(job, now)))
        self.tick()

    def audit(self) -> str:
        """A message that was noted in the journal and never sent; its run."""
        job = self._job("fast", MANUAL)
        now = ms(in_seconds(0))
        message = _message(job, now - GRACE_MS + 2000)
        [page] = encode_pages([message], now_ms=now - GRACE_MS, nonce=b"12345678")
        self._put("ChronosTimersTable", page)
        eventually(lambda: ms(in_seconds(0)) > now + 2000)
        self.tick()
        eventually(lambda: self.api.runs(job, "SUCCEEDED"))
        return message.run_id

    def repair(self) -> str:
        """Jobs that are over, two of one shard and one of another, and one without its timer; that one's id."""
        for shard in (0, 0, 1):
            self._store({"kind": "once", "at": "2026-01-01T00:00:00Z"}, shard)
        lost = self._store("0 0 1 1 *", 2)
        dynamodb, table = self.stack.client("dynamodb"), self.stack.outputs["ChronosTimersTable"]
        for group in range(4):
            dynamodb.update_item(
                TableName=table,
                Key=encode_key(pulse_key(group)),
                UpdateExpression="SET repaired_ms = :then",
                ExpressionAttributeValues={":then": {"N": str(ms(in_seconds(-7200)))}},
            )
        self.tick()
        wheel = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "shard#002"}}}
        timers = dynamodb.query(TableName=table, **wheel)["Items"]
        assert [each for each in timers if lost in each["sk"]["S"]]
        return lost

    def _store(self, schedule: Any, shard: int) -> str:
        """A job as it is stored, without a timer; its id."""
        now_ms = ms(in_seconds(0))
        given = {"name": "stored", "type": "dummy", "schedule": schedule, "tenant": TENANT, "shard": shard}
        identity = {"id": job_id(now_ms, token_bytes(10)), "created_ms": now_ms, "updated_ms": now_ms}
        job = Job.model_validate({**given, **identity})
        self._put("ChronosCatalogTable", encode_job(job))
        return job.id

    def tick(self) -> None:
        """All groups of shards."""
        for group in range(4):
            self.stack.invoke("dispatcher", {"group": group, "groups": 4})

    def _put_timer(self, timer: Timer) -> None:
        self._put("ChronosTimersTable", encode_timer(timer))

    def _put(self, table: str, item: Item) -> None:
        dynamodb = emulated("dynamodb", self.stack.aws)
        dynamodb.put_item(TableName=self.stack.outputs[table], Item=encode(item))

    def _job(self, lane: str, schedule: Any, **fields: Any) -> Any:
        return self.api.job(schedule, type="dummy", **LANES[lane], **fields)

    def _example(self, lane: Lane) -> Any:
        """A job of a type that calls for the lane, with the config of the type's example."""
        type_ = CALLED_FOR[lane]
        spec = registry.spec(type_)
        assert spec is not None
        return self.api.job(MANUAL, type=type_, config=spec.example, retry={"max_attempts": 1})

    def _failing(self, lane: str, *, delay_seconds: int, schedule: Any = MANUAL, **fields: Any) -> Any:
        retry = {
            "max_attempts": 2,
            "strategy": "fixed",
            "initial_delay_seconds": delay_seconds,
            "jitter": "none",
        }
        return self._job(lane, schedule, config={"outcome": "failure"}, retry=retry, **fields)

    def _deliver(self, lane: str, role: str, messages: list[RunMessage]) -> None:
        """Hand messages to a lane's function as its event source does."""
        records = [{"messageId": str(number), "body": each.encode()} for number, each in enumerate(messages)]
        name = "dead_letters" if role == "dlq" else f"{lane}_{role}"
        answer = self.stack.invoke(name, {"Records": records})
        assert answer == {"batchItemFailures": []}


def _message(job: Any, nominal_ms: int) -> RunMessage:
    return RunMessage(TENANT, job["id"], 1, run_id(job["id"], nominal_ms), nominal_ms, nominal_ms)


def _shard(job: Any) -> int:
    return bucket_of(job["id"], SHARDS)
