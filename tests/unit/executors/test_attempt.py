"""An attempt: what its executor is given of a callback, and what is taken out of its outcome."""

from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Waiting
from chalicelib.domain.run import Run, RunStatus
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.contact import Contact
from tests.support.memory import FakeClock
from tests.support.world import NOON, TENANT

TOKEN = "v1.k.c-_.m"


def outcome_of(config: dict[str, Any], *, by_ms: int | None = NOON, url: Any = None) -> Outcome:
    return attempt_of(config, Contact(), by_ms=by_ms, url=url)


def attempt_of(
    config: dict[str, Any], contact: Contact, *, by_ms: int | None = None, url: Any = None
) -> Outcome:
    clock = FakeClock()
    made = attempts(clock, ExecutorSettings(), url or (lambda run: f"https://x/{run.id}/{TOKEN}"))
    fields = {"name": "n", "type": "dummy", "config": config, "id": "job_1", "tenant": TENANT, "shard": 0}
    job = Job.model_validate({**fields, "created_ms": NOON, "updated_ms": NOON})
    run = Run(
        "run_1", TENANT, "job_1", RunStatus.RUNNING, "manual", NOON, NOON, 1, attempt=1, callback_by_ms=by_ms
    )
    return made(job, run, clock.monotonic() + 10, contact)


def test_a_token_that_comes_back_in_a_result_is_blacked_out() -> None:
    echo = {"seen": f"https://x/run_1/{TOKEN}", TOKEN: [TOKEN, 1]}
    assert outcome_of({"outcome": "wait", "output": echo}) == Waiting(
        {"output": {"seen": "https://x/run_1/[token]", "[token]": ["[token]", 1]}}
    )


def test_an_attempt_without_a_callback_asks_for_no_address() -> None:
    assert outcome_of({"outcome": "wait", "output": TOKEN}, by_ms=None, url=refused) == Waiting(
        {"output": TOKEN}
    )


def refused(_run: Run) -> str:
    raise Unavailable("There is no key.")


def test_an_address_that_cannot_be_made_fails_the_attempt() -> None:
    assert outcome_of({}, url=refused) == Failed(
        "unknown", "There is no address for its callback. There is no key."
    )


def test_what_an_attempt_tells_goes_to_its_worker() -> None:
    contact = Contact()
    attempt_of({"log_lines": 1}, contact)
    assert [line.message for line in contact.log.drain()] == ["Line 1 of 1."]
