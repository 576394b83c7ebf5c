"""GET /runs/{id}/logs: levels, attempts, pages, and waiting for what is yet to come."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Outcome, Succeeded
from chalicelib.domain.run import Run
from chalicelib.engine.running.telling import Telling, store
from chalicelib.engine.running.work import Worker
from chalicelib.features.logs.service import FOLLOW_SECONDS, SETTLED_MS
from chalicelib.ports.contact import Contact
from chalicelib.ports.run_log import MAX_MESSAGE, RunLog
from tests.support.api import ApiClient
from tests.support.world import World


class Served:
    """A world whose one run tells what it is told to tell."""

    def __init__(self, tell: Callable[[RunLog], Any]) -> None:
        self.world = World()
        self.api = ApiClient(self.world.engine)

        def execute(_job: Job, _run: Run, _until: float, contact: Contact) -> Outcome:
            tell(contact.log)
            return Succeeded({})

        self.world.worker = Worker(self.world.engine, "fast", execute, self.world.pool)
        job = {"name": "a", "type": "dummy", "schedule": {"kind": "manual"}}
        self.job = self.api.post("/jobs", job).json["id"]
        self.run = self.api.post(f"/jobs/{self.job}/trigger").json["id"]

    def work(self) -> "Served":
        self.world.advance(5)
        return self

    def get(self, query: str = "") -> Any:
        answer = self.api.get(f"/runs/{self.run}/logs?{query}")
        assert answer.status == 200, answer.text
        return answer.json

    def messages(self, query: str = "") -> list[str]:
        return [item["message"] for item in self.get(query)["items"]]


def four_levels(log: RunLog) -> None:
    for level in (log.debug, log.info, log.warning, log.error):
        level(level.__name__, rows=1)


def test_a_line_says_when_and_in_which_attempt_it_was_told() -> None:
    served = Served(four_levels).work()
    [line] = served.get("level=error")["items"]
    assert line.pop("at").startswith("2027-01-15T12:00:0")
    assert line == {"level": "error", "attempt": 1, "message": "error", "fields": {"rows": 1}}


@pytest.mark.parametrize(
    ("query", "messages", "why"),
    [
        ("", ["debug", "info", "warning", "error"], "all, in order"),
        ("level=warning", ["warning", "error"], "of at least this level"),
        ("attempt=1", ["debug", "info", "warning", "error"], "of this attempt"),
        ("attempt=2", [], "there was no other"),
    ],
)
def test_lines_are_chosen_by_level_and_attempt(query: str, messages: list[str], why: str) -> None:
    assert Served(four_levels).work().messages(query) == messages, why


def test_pages_follow_each_other_until_the_log_is_complete() -> None:
    served = Served(four_levels).work()
    found, cursor = [], ""
    while True:
        page = served.get(f"limit=1{cursor}")
        found += [item["message"] for item in page["items"]]
        if page["complete"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (found, page["next_cursor"]) == (["debug", "info", "warning", "error"], None)


def test_a_page_is_no_larger_than_an_answer_may_be() -> None:
    def much(log: RunLog) -> None:
        for _ in range(900):
            log.info("x" * MAX_MESSAGE)

    served = Served(much).work()
    page = served.get("limit=1000")
    assert 0 < len(page["items"]) <= 251
    assert not page["complete"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("cursor=abc", "no cursor at all"),
        ("level=warning&cursor={}", "of another level"),
        ("limit=1001", "too many"),
        ("level=loud", "no level"),
        ("attempt=0", "no attempt"),
    ],
)
def test_what_makes_no_sense_is_refused(query: str, why: str) -> None:
    served = Served(four_levels).work()
    cursor = served.get("limit=1")["next_cursor"]
    assert served.api.get(f"/runs/{served.run}/logs?{query.format(cursor)}").status == 422, why


@pytest.mark.parametrize("run", ["run_01KVB7TZ00F3Z9S8D0QX4Y1W2E", "nonsense"])
def test_the_log_of_a_run_that_is_not_there_is_missing(run: str) -> None:
    assert Served(four_levels).api.get(f"/runs/{run}/logs").status == 404


def test_a_run_that_has_not_begun_has_an_empty_log_that_is_not_complete() -> None:
    page = Served(four_levels).get()
    assert (page["items"], page["complete"]) == ([], False)
    assert page["next_cursor"]


def test_the_last_lines_may_come_a_moment_after_the_end() -> None:
    served = Served(lambda log: None)
    served.world.deliver()
    assert not served.get()["complete"]
    served.world.clock.ms += SETTLED_MS
    assert served.get()["complete"]


def following(served: Served, query: str, meanwhile: Callable[[], Any]) -> tuple[Any, float]:
    """The answer to a follower, and the seconds that it took. `meanwhile` is done when it has waited three times."""
    clock = served.world.clock
    sleep, began, naps = clock.sleep, clock.ms, [0]

    def sleeping(seconds: float) -> None:
        sleep(seconds)
        naps[0] += 1
        if naps[0] == 3:
            meanwhile()

    clock.sleep = sleeping  # type: ignore[method-assign]
    try:
        return served.get(f"follow=true{query}"), (clock.ms - began) / 1000
    finally:
        clock.sleep = sleep  # type: ignore[method-assign]


def test_a_follower_is_answered_when_a_line_comes() -> None:
    served = Served(four_levels)
    log = RunLog()
    log.info("a")

    def tell() -> None:
        store(served.world.engine, served.world.run(served.run), Telling(log))

    page, seconds = following(served, "&level=info", tell)
    assert [item["message"] for item in page["items"]] == ["a"]
    assert (page["complete"], seconds) == (False, 3)
    assert served.messages(f"level=info&cursor={page['next_cursor']}") == []


def test_a_follower_is_answered_when_the_run_is_over() -> None:
    served = Served(lambda log: None)
    page, seconds = following(served, "", served.work)
    assert (page["items"], page["complete"], page["next_cursor"]) == ([], True, None)
    assert seconds < FOLLOW_SECONDS


def test_a_follower_waits_no_longer_than_the_gateway() -> None:
    page, seconds = following(Served(lambda log: None), "", lambda: None)
    assert (page["items"], page["complete"], seconds) == ([], False, FOLLOW_SECONDS)
    assert page["next_cursor"]
