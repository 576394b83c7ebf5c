"""The whole of Chronos as it is deployed, in one process: its Lambdas, fed by a client, a scheduler and queues.

Only what is outside is made up: AWS behind the wire, the clock, chance, and the pool of threads.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from chalicelib.aws.dynamodb import AwsDatabase
from chalicelib.aws.job_secrets import AwsJobSecrets
from chalicelib.aws.sqs import SqsQueue
from chalicelib.aws.ssm import SsmSecrets
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.lanes import LANES
from chalicelib.domain.lanes import Lane as LaneName
from chalicelib.domain.outcome import Outcome
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine, EngineSettings
from chalicelib.engine.ledger.job_state import StoredJobState
from chalicelib.engine.ledger.run_history import StoredRunHistory
from chalicelib.engine.records import decode_run
from chalicelib.engine.ringing.journal import PARTITIONS, JournalPage, decode_page, journal_partition
from chalicelib.engine.running.signing import callback_url
from chalicelib.engine.running.work import Execute, Worker
from chalicelib.engine.wheel.timers import Timer, decode_timer
from chalicelib.entrypoints import dead_letters, dispatcher, worker
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings, Means
from chalicelib.ports.fan import one_by_one
from chalicelib.ports.stop import Stop
from chalicelib.ports.table import Database
from chalicelib.wiring import Wiring
from tests.faults.kinds import Crash
from tests.faults.pool import Pool
from tests.faults.wire import Wire
from tests.support.api import Answer, ApiClient
from tests.support.doubles import MemoryOutputs
from tests.support.lanes import Lane, Message, event_of
from tests.support.mailbox import CheapHashing
from tests.support.memory import FakeClock, FakeIds, MemoryTelemetry
from tests.support.moto_wire import MotoAws
from tests.support.world import NOON, PUBLIC_URL, SIGNING_KEYS, TENANT, TOKEN_KEYS

URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/"
PREFIX = "/chronos/test"
START = NOON - 600_000
"""Whatever is prepared is prepared ten minutes before noon; scenarios begin at noon or later."""
MINUTE_MS, HIDDEN_MS, NEVER = 60_000, 10_000, 1 << 60
GROUPS = 4
"""Dispatchers. One shard and the made-up chance leave the others without work, so that only the first is fired."""
OWN_PAGES = {journal_partition(number) for number in range(0, PARTITIONS, GROUPS)}
T = TypeVar("T")
LIMITS_MS = dict.fromkeys(LANES, 900_000) | {"fast": 90_000, "urgent": 90_000, "dead": 60_000, "tick": 60_000}
"""The functions' time limits, as in .chalice/config.json; what was received is hidden ten seconds longer."""
MakeDatabase = Callable[..., Database]
MakeQueue = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """An attempt that the outside world has seen."""

    run: Run
    at_ms: int


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a function of its time."""

    limit_ms: int

    def get_remaining_time_in_millis(self) -> int:
        return self.limit_ms


class _Parts(Wiring):
    """The composition root, with an engine and attempts of the test's: a process's, and gone with it."""

    def __init__(self, engine: Engine, execute: Execute, pool: Pool) -> None:
        self._engine, self._execute, self._pool = engine, execute, pool

    @cached_property
    def engine(self) -> Engine:
        return self._engine

    @cached_property
    def _workers(self) -> dict[LaneName, Worker]:
        return {name: Worker(self._engine, name, self._execute, self._pool) for name in LANES}


class System:
    """`database` and `queue` make the adapters.

    `killed` says which attempts their worker does not survive; `meanwhile` is what goes on while one is carried out.
    """

    def __init__(self, database: MakeDatabase = AwsDatabase, queue: MakeQueue = SqsQueue) -> None:
        self.clock, self.telemetry = FakeClock(START), MemoryTelemetry()
        self.dead = Lane(self.clock, LIMITS_MS["dead"] + HIDDEN_MS)
        self.lanes = {name: Lane(self.clock, LIMITS_MS[name] + HIDDEN_MS, 3, self.dead) for name in LANES}
        self.aws = MotoAws(self.clock, {URL + name: lane for name, lane in self.lanes.items()})
        self.wire = Wire(self.aws, self.clock)
        self._ids = FakeIds()
        sqs, ssm, sleep = self.wire.client("sqs"), self.wire.client("ssm"), self.clock.sleep
        self.aws.parameters = {f"{PREFIX}/signing-key": SIGNING_KEYS, f"{PREFIX}/public-url": PUBLIC_URL}
        self.aws.parameters[f"{PREFIX}/token-keys"] = TOKEN_KEYS
        self.aws.parameters[f"{PREFIX}/secrets/{TENANT}/token"] = "a parameter"
        self.aws.secrets = {f"{PREFIX[1:]}/{TENANT}/db": '{"password": "a secret"}'}
        self.secrets = SsmSecrets(lambda: ssm, PREFIX, self.clock)
        clients = {"ssm": ssm, "secretsmanager": self.wire.client("secretsmanager")}
        self.job_secrets = lambda: AwsJobSecrets(clients.__getitem__, "test", self.clock)
        self.engine = Engine(
            db=database(self.wire.client("dynamodb"), self.aws.names, one_by_one, sleep),
            lanes={name: queue(sqs, URL + name, one_by_one, sleep) for name in LANES},
            clock=self.clock,
            ids=self._ids,
            telemetry=self.telemetry,
            secrets=self.secrets,
            settings=EngineSettings(shards=1),
            hashing=CheapHashing(),
        )
        self._client = ApiClient(self.engine)
        self._begin_a_process()
        self._ticked_ms, self._is_behind = 0, False
        self.killed: Callable[[Job, Run], bool] = lambda _job, _run: False
        self.meanwhile: Callable[[Run], object] = lambda _run: None
        self.names: dict[str, str] = {}
        self.effects: list[Effect] = []
        self.unrecorded: set[tuple[str, int]] = set()

    def api(self, method: str, path: str, body: Any = None, key: str | None = None) -> Answer | None:
        """The answer to a request; None if the process died over it."""
        headers = {"Idempotency-Key": key} if key else {}
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return self._invoke("api", lambda: self._client(method, path, body, headers, media_type))

    def job(self, name: str, schedule: Any, **fields: Any) -> str:
        """A new job's id."""
        wanted = {"name": name, "type": "dummy", "schedule": schedule, **fields}
        answer = self.api("POST", "/jobs", wanted)
        assert answer is not None, "nothing fails here"
        assert answer.status == 201, answer.text
        self.names[answer.json["id"]] = name
        return str(answer.json["id"])

    def tick(self) -> None:
        """The scheduler fires the dispatcher that has the one shard, and all pages of the journal."""
        self._ticked_ms = self.clock.now_ms()
        event, context = {"group": 0, "groups": GROUPS}, Context(LIMITS_MS["tick"])
        answer = self._invoke("dispatcher", lambda: dispatcher.handle(event, context, self._parts))
        self._is_behind = answer is None

    def deliver(self) -> None:
        """The event sources hand over what is visible, until nothing is."""
        while sum(map(self._deliver, LANES)) + self._bury():
            pass

    def pass_time(self, until_ms: int) -> None:
        """Messages are delivered as they become visible; each minute there is a tick, if it would find anything."""
        while (at_ms := min(self._next_message_ms(), self._next_tick_ms())) <= until_ms:
            self.clock.ms = max(self.clock.ms, at_ms)
            if self._next_tick_ms() <= self.clock.now_ms():
                self.tick()
            self.deliver()
        self.clock.ms = max(self.clock.ms, until_ms)

    def runs(self) -> list[Run]:
        items = self.aws.items("runs")
        return [decode_run(item) for item in items if str(item["sk"]).startswith("run_")]

    def timers(self) -> list[Timer]:
        items = self.aws.items("timers")
        return [decode_timer(item) for item in items if str(item["pk"]).startswith("shard#")]

    def saved(self) -> Any:
        """Everything that is remembered, for `restore`."""
        mine = (
            self.names,
            self.effects,
            self.unrecorded,
            self.dead.messages,
            self._ids,
            self.clock.ms,
            self._ticked_ms,
            self._is_behind,
        )
        return self.aws.saved(), copy.deepcopy(mine)

    def restore(self, saved: Any) -> None:
        aws, mine = saved
        self.aws.restore(aws)
        mine = copy.deepcopy(mine)
        self.names, self.effects, self.unrecorded, self.dead.messages, ids, self.clock.ms, *ticked = mine
        self._ticked_ms, self._is_behind = ticked
        self._ids.__dict__ = ids.__dict__
        self._begin_a_process()
        self.telemetry.lines.clear()
        self.clock.slept.clear()

    def _begin_a_process(self) -> None:
        """Nothing that was in memory is known any more."""
        pool = Pool(self.clock)
        address, means = (
            partial(callback_url, self.secrets),
            Means(
                outputs=lambda _run, _deadline, _contact: MemoryOutputs(),
                state=partial(StoredJobState, self.engine),
                history=partial(StoredRunHistory, self.engine),
            ),
        )
        attempt = attempts(pool, ExecutorSettings(), address, self.job_secrets(), means)
        self._parts = _Parts(self.engine, partial(self._execute, attempt), pool)
        self.secrets._known.clear()
        self.engine.plans._known.clear()
        self._client.book._heads.clear()

    def _execute(self, attempt: Execute, job: Job, run: Run, deadline: float, stop: Stop) -> Outcome:
        if run.handle is None:  # a look at work that was begun before is no effect
            self.effects.append(Effect(run, self.clock.now_ms()))
        if self.killed(job, run):
            raise Crash
        self.meanwhile(run)
        return attempt(job, run, deadline, stop)

    def _deliver(self, name: LaneName) -> bool:
        """Hand over a batch of the lane; whether there was any."""
        context = Context(LIMITS_MS[name])
        received = self.lanes[name].receive()
        if received:
            event = event_of(received)
            answer = self._invoke("worker", lambda: worker.handle(event, context, name, self._parts))
            self._settle(self.lanes[name], received, answer)
        return bool(received)

    def _bury(self) -> bool:
        """Hand over a batch of dead letters; whether there was any."""
        received = self.dead.receive()
        if received:
            answer = self._invoke("dlq", lambda: dead_letters.handle(event_of(received), self._parts))
            self._settle(self.dead, received, answer)
        return bool(received)

    def _settle(self, lane: Lane, received: list[Message], answer: Any) -> None:
        """What the event source does with the function's answer. None: it failed, and all of the batch comes again."""
        if answer is None:
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        lane.delete([message for message in received if message.id not in failed])
        if failed:
            self.unrecorded |= self._unrecorded()

    def _invoke(self, role: str, call: Callable[[], T]) -> T | None:
        """What the function answers; None if it failed, or its process died."""
        before, self.wire.role = self.wire.role, role
        try:
            return call()
        except Crash:
            self._begin_a_process()
        except Unavailable as error:
            self.telemetry.warning("A function failed.", role=role, error=error.message)
        finally:
            self.wire.role = before
        self.unrecorded |= self._unrecorded()
        return None

    def _unrecorded(self) -> set[tuple[str, int]]:
        """The attempts (run, number) that have been executed, and whose end is not written down."""
        stored = {run.id: run for run in self.runs()}
        return {
            (effect.run.id, effect.run.attempt)
            for effect in self.effects
            if (found := stored.get(effect.run.id))
            and (found.status, found.fence) == (RunStatus.RUNNING, effect.run.fence)
        }

    def _next_message_ms(self) -> int:
        lanes = (*self.lanes.values(), self.dead)
        return min((at_ms for lane in lanes if (at_ms := lane.next_ms()) is not None), default=NEVER)

    def _next_tick_ms(self) -> int:
        """The next whole minute at which a tick has something to do. The others find nothing, and are left out."""
        if self._is_behind:
            return self._ticked_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
        items = self.aws.items("timers")
        timers = [decode_timer(item) for item in items if str(item["pk"]).startswith("shard#")]
        moments = [timer.due_ms - self.engine.settings.horizon_ms + 1 for timer in timers]
        stored = [item for item in items if "messages" in item]
        assert {item["pk"] for item in stored} <= OWN_PAGES, "nobody looks at the others here"
        pages = [decode_page(item) for item in stored]
        moments += [page.look_ms for page in pages if page.look_ms >= self._ticked_ms and self._is_open(page)]
        found_ms = max(min(moments, default=NEVER), self._ticked_ms + 1)
        return -(-found_ms // MINUTE_MS) * MINUTE_MS

    def _is_open(self, page: JournalPage) -> bool:
        """Whether a run that the page names is not over."""
        over = {run.id for run in self.runs() if run.is_final}
        return any(message.run_id not in over for message in page.messages)
