"""Looking after work elsewhere: what is asked again later, and what is stopped."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Following, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.domain.templates import SecretRef
from chalicelib.executors import registry
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import Call, ExecutorSettings, Follower
from chalicelib.executors.following import MAX_LATE_MS, followable, looked_after, not_now
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.contact import Contact
from tests.support.calls import call_of
from tests.support.memory import FakeClock
from tests.support.world import NOON, TENANT

HANDLE = {"arn": "arn:x"}
GOING_ON = Following(HANDLE, {"status": "RUNNING"}, 60)
RUN = Run(
    "run_1", TENANT, "job_1", RunStatus.RUNNING, "manual", NOON, NOON, 1, attempt=1,
    callback_by_ms=NOON + 60_000, handle={"type": "dummy", "work": {"until_ms": NOON + 30_000}},
)  # fmt: skip
ASKED = replace(RUN, cancel_ms=NOON)
BUSY = CloudError("ThrottlingException", "Slow down.", retryable=True)
DENIED = CloudError("AccessDenied", "No.", status=403)


@dataclass
class Work:
    """Work elsewhere: how it is going, and what comes of a wish to stop."""

    going: Any = GOING_ON
    stopping: Exception | None = None
    stops: list[dict[str, Any]] = field(default_factory=list)

    def look(self, run: Run, at_ms: int = NOON) -> Outcome:
        call = call_of("dummy", {}, clock=FakeClock(at_ms))
        return looked_after(call, Follower(self._follow, self._stop), run, HANDLE)

    def _follow(self, _call: Call, _handle: dict[str, Any]) -> Outcome:
        if isinstance(self.going, Exception):
            raise self.going
        outcome: Outcome = self.going
        return outcome

    def _stop(self, _call: Call, handle: dict[str, Any]) -> None:
        self.stops.append(handle)
        if self.stopping:
            raise self.stopping


@pytest.mark.parametrize(
    ("going", "run", "at_ms", "outcome", "stops", "why"),
    [
        (GOING_ON, RUN, NOON, GOING_ON, 0, "there is time"),
        (Succeeded({}), ASKED, NOON, Succeeded({}), 0, "what succeeded has succeeded"),
        (GOING_ON, ASKED, NOON, Failed("unknown", "It was asked to stop."), 1, "stopped"),
        (Succeeded({}), RUN, NOON + 90_000, Succeeded({}), 0, "late, and good"),
        (BUSY, RUN, NOON, Following(HANDLE, {}, 0), 0, "asked again later"),
        (
            CloudError("timeout", "Slow."),
            RUN,
            NOON,
            Following(HANDLE, {}, 0),
            0,
            "the look had no time for it",
        ),
        (Unavailable("Away."), RUN, NOON, Following(HANDLE, {}, 0), 0, "asked again later"),
        (
            Failed("cloud", "Killed."),
            RUN,
            NOON + 60_000,
            Failed("timeout", "The work was not over within its deadline, and then: Killed."),
            0,
            "by our own stop",
        ),
        (DENIED, RUN, NOON, Failed("cloud", "No.", status=403, retryable=False), 0, "it will stay so"),
    ],
)
def test_each_look_has_its_outcome(
    going: Any, run: Run, at_ms: int, outcome: Outcome, stops: int, why: str
) -> None:
    work = Work(going)
    assert work.look(run, at_ms) == outcome, why
    assert work.stops == [HANDLE] * stops


def test_a_surprise_is_a_failure_without_its_message() -> None:
    outcome = Work(KeyError("hunter2")).look(RUN)
    assert isinstance(outcome, Failed)
    assert "KeyError at test_following.py" in outcome.message
    assert "hunter2" not in outcome.message


@pytest.mark.parametrize("going", [GOING_ON, BUSY])
def test_overdue_work_is_stopped_also_if_nobody_can_say_how_it_is(going: Any) -> None:
    work = Work(going)
    outcome = work.look(RUN, NOON + 60_000)
    assert outcome == Failed("timeout", "The work was not over within its deadline; it was stopped.")
    assert work.stops == [HANDLE]


@pytest.mark.parametrize("trouble", [BUSY, DENIED, Unavailable("Slow down."), ValueError()])
def test_work_that_cannot_be_stopped_now_is_stopped_later_until_its_deadline(trouble: Exception) -> None:
    work = Work(stopping=trouble)
    assert work.look(ASKED) == GOING_ON
    outcome = work.look(ASKED, NOON + 60_000)
    assert isinstance(outcome, Failed)
    assert "it could not be stopped: " in outcome.message
    assert len(work.stops) == 2


def test_a_type_that_cannot_follow_must_not_return_following() -> None:
    assert followable(GOING_ON, "http") == Failed("unknown", "Its type has begun work that it cannot follow.")
    assert followable(Succeeded({}), "http") == Succeeded({})
    large = replace(GOING_ON, handle={"x": "y" * 3000})
    assert isinstance(followable(large, "dummy"), Failed)
    assert followable(GOING_ON, "dummy") == replace(GOING_ON, handle={"type": "dummy", "work": HANDLE})


def test_types_are_known_to_follow_or_not() -> None:
    assert registry.follower("dummy") is not None
    assert registry.follower("http") is None
    assert registry.follower("no_such_type") is None


def test_a_look_that_cannot_begin_now_is_left_to_the_next_one() -> None:
    away = Failed("template", "secrets.x cannot be read now.", retryable=True)
    assert RUN.handle is not None
    assert not_now(RUN, away) == Following(RUN.handle, {}, 0)
    late = replace(RUN, lease_ms=(RUN.callback_by_ms or 0) + MAX_LATE_MS + 1)
    assert not_now(late, away) == away
    gone = replace(away, retryable=None)
    assert not_now(RUN, gone) == gone


class Store:
    """Secrets that can be read, are gone, or away."""

    def __init__(self, found: str | Exception | None) -> None:
        self.found = found

    def read(self, _tenant: str, _ref: SecretRef) -> str | None:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def look(store: Store, at_ms: int = NOON + 30_000, run: Run = RUN) -> Outcome:
    clock = FakeClock(at_ms)
    made = attempts(clock, ExecutorSettings(), secrets=store)
    config = {"output": "it is ${{ secrets.word }}"}
    fields = {"name": "n", "type": "dummy", "config": config, "id": "job_1", "tenant": TENANT, "shard": 0}
    job = Job.model_validate({**fields, "created_ms": NOON, "updated_ms": NOON})
    return made(job, run, clock.monotonic() + 10, Contact())


def test_what_the_work_returns_shows_no_secret() -> None:
    assert look(Store("hunter2")) == Succeeded({"output": "it is ***"})


def test_while_secrets_cannot_be_read_nothing_is_asked() -> None:
    assert look(Store(Unavailable("Away."))) == Following(RUN.handle or {}, {}, 0)


def test_what_may_hold_secrets_that_are_gone_is_not_told() -> None:
    assert look(Store(None)) == Succeeded({})
    overdue = look(Store(None), NOON + 29_000, replace(RUN, callback_by_ms=NOON))
    assert isinstance(overdue, Failed)
    assert overdue.message.startswith("It failed; what it said is not told")
    assert overdue.kind == "timeout"


def test_work_of_a_type_that_is_gone_cannot_be_followed() -> None:
    run = replace(RUN, handle={"type": "no_such_type", "work": {}})
    assert look(Store("x"), run=run) == Failed(
        "unknown", "This deployment cannot follow work of the type 'no_such_type'."
    )
