"""Examples of answers: what a Chronos in memory says on a made-up day.

`python -m tests.support.examples` keeps them for the description.
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, StoredOutput, Succeeded
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.records import encode_run
from chalicelib.engine.running.signing import callback_url
from chalicelib.engine.running.work import Worker
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.http.docs import EXAMPLES
from chalicelib.identity.access import authenticate
from chalicelib.identity.members import Member, member_puts
from chalicelib.identity.oidc import challenge
from chalicelib.identity.tenants import Tenant, encode_tenant
from chalicelib.ports.contact import Contact
from chalicelib.ports.table import Item, Key, Put
from tests.support.api import Answer, ApiClient, operation_of
from tests.support.memory import MemoryTable
from tests.support.oidc.twin import ISSUER, ProviderTwin
from tests.support.plans import subscribe
from tests.support.principals import principal
from tests.support.signed_in import joined, user_named
from tests.support.world import NOON, TENANT, World

PAGE = "https://app.example.com"
FEW = 6
"""Items of a list that an example shows at most."""
MEMBER = "user_01MCCKG2G0B4D6F8H1J3K5M7N9"
ACTOR, REQUEST = "key_01MCCKG2G0QZ4T8N6W2X5V7Y9B", "5f2b9c1e-0d3a-4c7b-8e61-2a90f4d7c318"
ACCESS_TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImZpcnN0IiwidHlwIjoiYXQrand0In0.eyJpc3MiOiIuLi4ifQ.c2lnbmF0dXJl"
FILE = StoredOutput(
    "orders.csv",
    48_213,
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "text/csv",
    "1.1",
)
REPORT: dict[str, Any] = {
    "name": "nightly report",
    "description": "Sums up the orders of the day.",
    "type": "http",
    "config": {"url": "https://example.com/reports", "method": "POST", "body": {"report": "daily"}},
    "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
    "tags": {"team": "data"},
}
RATES: dict[str, Any] = {
    "name": "exchange rates",
    "type": "http",
    "config": {"url": "https://example.com/rates"},
    "schedule": {"kind": "cron", "expression": "* * * * *"},
}
COPY: dict[str, Any] = {
    "name": "copy of orders",
    "type": "http",
    "config": {"url": "https://example.com/orders"},
    "schedule": {"kind": "manual"},
    "retry": {"max_attempts": 1},
}
SCAN: dict[str, Any] = {
    "name": "scan",
    "type": "dummy",
    "config": {"outcome": "wait"},
    "schedule": {"kind": "manual"},
    "callback": {"deadline_seconds": 3600},
}
CALENDAR: dict[str, Any] = {
    "name": "holidays",
    "timezone": "Europe/Berlin",
    "excluded": {"weekdays": ["SUN"], "dates": ["2027-01-01"]},
}
FEAST = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Feast\r\n"
    b"DTSTART;VALUE=DATE:20270501\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Links:
    """Addresses as a store of files gives them."""

    def link(self, _tenant: str, run: str, file: StoredOutput) -> str:
        return f"https://files.example.com/{run}/{file.place}/{file.name}?signature=..."


class Silent(MemoryTable):
    """Does not answer."""

    def get(self, _key: Key) -> Item | None:
        raise Unavailable("DynamoDB did not answer.")


class Recorder(ApiClient):
    """Keeps the first answer of each operation and status."""

    def __init__(self, world: World) -> None:
        self.who = principal(actor=ACTOR)
        super().__init__(world.engine, lambda _engine, _authorization: self.who)
        self.found: dict[str, Any] = {}

    def __call__(self, method: str, path: str, body: Any = None, *more: Any, **options: Any) -> Answer:
        answer = super().__call__(method, path, body, *more, **options)
        assert answer.status < 400 or path == "/health", f"{method} {path}: {answer.text}"
        operation = operation_of(method, path)
        if operation and answer.headers.get("Content-Type") == "application/json":
            name = f"{method} {operation[0]} {answer.status}"
            self.found.setdefault(name, the_same_each_day(shortened(answer.json)))
        return answer


class Day:
    """A world whose jobs do as their names say, and the requests of somebody who looks at all of it."""

    def __init__(self) -> None:
        self.world = World()
        self.provider = ProviderTwin(self.world.clock)
        self.world.engine = replace(
            self.world.engine,
            links=Links(),
            web=self.provider,
            settings=replace(self.world.engine.settings, origins=(PAGE,)),
        )
        subscribe(self.world.db, "pro")
        for put in member_puts(Member(TENANT, MEMBER, "viewer", NOON)):
            self.world.db.catalog.write(put)
        self.world.worker = Worker(self.world.engine, "fast", self._execute, self.world.pool)
        self._attempt = attempts(self.world.clock, ExecutorSettings(), self._address)
        self._tokens: list[str] = []
        self.api = Recorder(self.world)

    def _address(self, run: Run) -> str:
        url = callback_url(self.world.secrets, run)
        self._tokens.append(url.rpartition("/")[2])
        return url

    def _execute(self, job: Job, run: Run, until: float, contact: Contact) -> Outcome:
        if job.type == "dummy":
            return self._attempt(job, run, until, contact)
        contact.log.info("The request is sent.", url=job.config["url"])
        if job.name == COPY["name"]:
            return Failed("http_5xx", "The answer was 502.", status=502)
        return Succeeded({"status": 200}, (FILE,) if job.name == REPORT["name"] else ())

    def spent(self) -> dict[str, Any]:
        """The answers, by operation and status."""
        self._calendars()
        self._limits()
        report = self._jobs()
        self._runs(report)
        self._dead_letters()
        self._callbacks()
        self._backfills()
        self._many()
        self._people()
        self._accounts()
        self._single_sign_on()
        self._service()
        return dict(sorted(self.api.found.items()))

    def _calendars(self) -> None:
        place = "/calendars/holidays"
        self.api.post("/calendars", CALENDAR)
        self.api.get("/calendars")
        self.api.get(place)
        self.api.put(place, {name: value for name, value in CALENDAR.items() if name != "name"})
        self.api.patch(place, {"timezone": "Europe/Vienna"}, media_type="application/merge-patch+json")
        self.api.post(f"{place}/import", FEAST, media_type="text/calendar")
        self.api.get(f"{place}/days?from=2027-01-15&until=2027-01-18")

    def _limits(self) -> None:
        rate = {"limit": 50, "per_seconds": 1}
        self.api.put("/limits/tenant", {"concurrency": 50, "rate": rate})
        self.api.get("/limits/tenant")
        breaker = {"failures": 5, "within_seconds": 60, "open_seconds": 30}
        self.api.put("/limits/targets/api.example.com", {"concurrency": 10, "rate": rate, "breaker": breaker})
        self.api.get("/limits/targets/api.example.com")
        self.api.get("/limits/targets")

    def _jobs(self) -> str:
        job_id: str = self.api.post("/jobs", REPORT).json["id"]
        place = f"/jobs/{job_id}"
        self.api.get(place)
        self.api.get("/jobs")
        self.api.put(place, {**REPORT, "description": "Sums up the orders of yesterday."})
        self.api.patch(place, {"name": "daily report"}, media_type="application/merge-patch+json")
        self.api.get(f"{place}/access")
        self.api.put(f"{place}/access", {"restricted": True, "grants": {MEMBER: "operator"}})
        self.api.post(f"{place}/rollback", {"revision": 2})
        self.api.get(f"{place}/revisions")
        self.api.get(f"{place}/revisions/2")
        self.api.get(f"{place}/revisions/2/diff")
        self.api.post(f"{place}/skip", {"count": 2})
        self.api.get(f"{place}/upcoming?count=3")
        self.api.post(f"{place}/pause", {"note": "Closed", "until": "2027-02-01T00:00:00Z"})
        self.api.post(f"{place}/resume")
        return job_id

    def _runs(self, report: str) -> None:
        run = self.api.post(f"/jobs/{report}/trigger", {"note": "Done again for the auditors"}).json["id"]
        self.world.advance(5)
        for part in ("", "/logs", "/outputs"):
            self.api.get(f"/runs/{run}{part}")
        self.api.get(f"/jobs/{report}/cost")
        rates = self.api.post("/jobs", RATES).json["id"]
        self.world.advance(130)
        self.api.get("/runs")
        self.api.get(f"/jobs/{rates}/runs")
        self.api.get(f"/jobs/{rates}/timeline")
        waiting = self.api.post(f"/jobs/{rates}/trigger").json["id"]
        self.api.post(f"/runs/{waiting}/cancel")
        self.api.post(f"/runs/{self._under_way(report)}/cancel")

    def _under_way(self, job_id: str) -> str:
        now_ms = self.world.clock.now_ms()
        run = Run(
            id=run_id(job_id, NOON, "example"),
            tenant=TENANT,
            job_id=job_id,
            status=RunStatus.RUNNING,
            trigger="manual",
            nominal_ms=NOON,
            due_ms=NOON,
            schedule_revision=1,
            attempt=1,
            first_started_ms=NOON + 12,
            started_ms=NOON + 12,
            progress=Progress(40, now_ms, "480 of 1200 rows", {"rows": 480}),
        )
        self.world.db.runs.write(Put(encode_run(run, expires_at=2_000_000_000)))
        return run.id

    def _dead_letters(self) -> None:
        job_id = self.api.post("/jobs", COPY).json["id"]
        dead = self.api.post(f"/jobs/{job_id}/trigger").json["id"]
        self.world.advance(5)
        self.api.get("/dead-letters")
        self.api.get(f"/dead-letters/{dead}")
        self.api.post(f"/dead-letters/{dead}/redrive")

    def _callbacks(self) -> None:
        job_id = self.api.post("/jobs", SCAN).json["id"]
        for _ in range(2):
            self.api.post(f"/jobs/{job_id}/trigger")
            self.world.advance(5)
        first, second = (f"/callbacks/{token}" for token in self._tokens)
        self.api.post(f"{first}/heartbeat")
        self.api.post(f"{first}/progress", {"percent": 33.3, "message": "400 of 1200 rows"})
        self.api.post(f"{first}/success", {"result": {"rows": 1200}})
        self.api.post(f"{second}/failure", {"error": {"message": "The disk is full."}})

    def _backfills(self) -> None:
        job_id = self.api.get("/jobs?name=nightly%20report").json["items"][0]["id"]
        stretch = {"start": "2027-01-01T00:00:00Z", "end": "2027-01-03T00:00:00Z"}
        self.api.post(f"/jobs/{job_id}/backfills", {**stretch, "dry_run": True})
        begun = self.api.post(f"/jobs/{job_id}/backfills", stretch).json["id"]
        self.api.get(f"/backfills/{begun}")
        self.api.get(f"/jobs/{job_id}/backfills")
        self.api.post(f"/backfills/{begun}/cancel")

    def _many(self) -> None:
        self.api.post("/jobs/bulk", {"action": "pause", "filter": {"tags": {"team": "data"}}})
        exported = self.api.get("/jobs/export?tags=team=data").json["jobs"]
        changed = [{**exported[0], "description": "Sums up the orders of the week."}]
        self.api.post("/jobs/import?on_conflict=replace&dry_run=true", {"jobs": changed})

    def _people(self) -> None:
        engine = self.world.engine
        ada, grace = (user_named(engine, f"{name}@example.com") for name in ("ada", "grace"))
        joined(engine, ada)
        self.api.who = principal(actor=ada.id)
        self.api.get("/tenant")
        self.api.patch("/tenant", {"name": "Rocket Works"}, media_type="application/merge-patch+json")
        self._keys()
        self._invitations(grace.id)
        self.api.get("/tenant/members")
        place = f"/tenant/members/{grace.id}"
        self.api.get(place)
        self.api.patch(place, {"role": "operator"}, media_type="application/merge-patch+json")
        self.api.get("/tenants")
        self.api.post("/tenants", {"name": "Moon Works"})

    def _keys(self) -> None:
        body = {"name": "nightly import", "role": "service", "expires_at": "2028-01-01T00:00:00Z"}
        made = self.api.post("/api-keys", {**body, "scopes": ["jobs:read", "jobs:write"]}).json
        place = f"/api-keys/{made['id']}"
        self.api.post(f"{place}/rotate", {"overlap_seconds": 3600})
        self.api.patch(place, {"name": "import"}, media_type="application/merge-patch+json")
        self.api.get(place)
        self.api.get("/api-keys")

    def _invitations(self, invited: str) -> None:
        owner = self.api.who
        made = self.api.post("/tenant/invitations", {"email": "grace@example.com", "role": "editor"}).json
        self.api.get(f"/tenant/invitations/{made['id']}")
        self.api.get("/tenant/invitations")
        self.api.who = principal(tenant="other", actor=invited)
        self.api.post("/invitations/accept", {"token": self.world.mailer.token("grace@example.com")})
        self.api.who = owner
        self.api.post("/tenant/invitations", {"email": "emmy@example.com"})
        token = self.world.mailer.token("emmy@example.com")
        newcomer = {"name": "Emmy Noether", "password": "a long sentence will do"}
        self.api.post("/invitations/register", {**newcomer, "token": token})

    def _accounts(self) -> None:
        mary = {"email": "mary@example.com", "password": "a long sentence will do"}
        self.api.post("/auth/register", {**mary, "name": "Mary Somerville"})
        token = self.world.mailer.token(mary["email"])
        self.api.post("/auth/verify/resend", {"email": mary["email"]})
        self.api.post("/auth/verify", {"token": token})
        self.api.post("/auth/password/forgot", {"email": mary["email"]})
        given = self.api.post("/auth/login", mary).json
        given = self.api.post("/auth/refresh", {"refresh_token": given["refresh_token"]}).json
        before, self.api.who = (
            self.api.who,
            authenticate(self.world.engine, f"Bearer {given['access_token']}"),
        )
        self.api.get("/users/me")
        self.api.patch("/users/me", {"name": "Mary Fairfax Somerville"})
        self.api.get("/auth/sessions")
        self.api.who = before
        self.api.get("/.well-known/jwks.json")

    def _single_sign_on(self) -> None:
        """In a tenant whose plan has it."""
        tenant, before, engine = "tenant_01MCCKG2G0RZ5V8K2P4N6Q9S3D", self.api.who, self.world.engine
        verifier = "v" * 43
        engine.db.catalog.write(Put(encode_tenant(Tenant(tenant, "Corp", "enterprise", NOON))))
        self.api.who = principal(tenant=tenant, actor=ACTOR)
        wanted = {
            "issuer": ISSUER,
            "client_id": "chronos",
            "email_domains": ["corp.example"],
            "auto_join": True,
        }
        self.api.put("/tenant/sso", wanted)
        self.api.get("/tenant/sso")
        self._come_back(tenant)
        back = self._come_back(tenant, f"?return_to={PAGE}/done&code_challenge={challenge(verifier)}")
        code = back.headers["Location"].rpartition("=")[2]
        self.api.post("/auth/sso/token", {"code": code, "code_verifier": verifier})
        self.api.who = before

    def _come_back(self, tenant: str, query: str = "") -> Answer:
        """From the tenant's provider, where somebody has signed in."""
        sent = self.api.get(f"/auth/sso/{tenant}{query}")
        back = urlencode(self.provider.redirect(sent.headers["Location"]))
        cookie = {"Cookie": sent.headers["Set-Cookie"].partition(";")[0]}
        return self.api.get(f"/auth/sso/{tenant}/callback?{back}", headers=cookie)

    def _service(self) -> None:
        self.api.post("/jobs/estimate?seconds=0.8", RATES)
        schedule = {"kind": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
        self.api.post(
            "/schedules/preview", {"schedule": schedule, "from": "2027-03-27T00:00:00Z", "count": 3}
        )
        self.api.get("/job-types")
        one = self.api.get("/job-types/dummy").json
        self.api.found["GET /job-types 200"] = {"items": [one]}
        self.api.get("/tenant/usage")
        for part in ("?operation=PATCH%20/jobs/%7Bjob_id%7D", "/1", "/verification"):
            self.api.get(f"/audit{part}")
        self.api.get("/health")
        self.world.db.runs = Silent()
        self.api.get("/health")


def shortened(answer: Any) -> Any:
    """With no more items than an example needs."""
    return {**answer, "items": answer["items"][:FEW]} if "items" in answer else answer


def the_same_each_day(value: Any) -> Any:
    """With a made-up id for that of the request."""
    if isinstance(value, list):
        return [the_same_each_day(each) for each in value]
    if not isinstance(value, dict):
        return value
    known = {name: the_same_each_day(each) for name, each in value.items()}
    if "access_token" in known:  # its signature differs each time
        known["access_token"] = ACCESS_TOKEN
    return {**known, "request_id": REQUEST} if value.get("request_id") else known


if __name__ == "__main__":
    EXAMPLES.write_text(json.dumps(Day().spent(), indent=1, ensure_ascii=False) + "\n", "utf-8")
