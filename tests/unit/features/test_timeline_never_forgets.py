"""Nothing vanishes: whatever befalls a job, its timeline has each of its occurrences, once, with one outcome."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.run import Run
from tests.support.api import ApiClient
from tests.support.world import NOON, World

MINUTE, HOUR = 60_000, 3_600_000
SCHEDULES: dict[str, tuple[Any, int, int]] = {
    "quarters": ("*/15 * * * *", 15 * MINUTE, 0),
    "each minute": ("* * * * *", MINUTE, 0),
    "half past": ("30 * * * *", HOUR, 30 * MINUTE),
    "each seven minutes": ({"kind": "interval", "every": 420, "anchor": rfc3339(NOON)}, 7 * MINUTE, NOON),
    "none": ({"kind": "manual"}, 0, 0),
}
"""What the api is given; and for the model: the period and a moment at which it begins (epoch milliseconds)."""
POLICIES = [{"policy": "fire_once"}, {"policy": "fire_all", "limit": 3}, {"policy": "skip"}]


def moments(name: str, after_ms: int, until_ms: int) -> list[int]:
    """The model's own arithmetic: the moments in (after, until]."""
    _, period, anchor = SCHEDULES[name]
    if not period:
        return []
    first = anchor + ((after_ms - anchor) // period + 1) * period
    return list(range(first, until_ms + 1, period))


class Machine(RuleBasedStateMachine):
    """Random edits, pauses, outages and delays of one job; `states` is what the model knows: (since, schedule)."""

    @initialize(name=st.sampled_from(sorted(SCHEDULES)), policy=st.sampled_from(POLICIES))
    def create(self, name: str, policy: dict[str, Any]) -> None:
        self.world = World(NOON)
        self.api = ApiClient(self.world.engine)
        job = self.api.create(type="dummy", config={}, schedule=SCHEDULES[name][0], misfire=policy)
        self.url, self.revision, self.deleted = f"/jobs/{job['id']}", 1, False
        self.states = [(NOON, name)]
        self.name = name

    def changed(self, answer: Any, name: str | None = None) -> None:
        assert answer.status == 200, answer.text
        if answer.json["revision"] != self.revision:
            self.revision, self.name = answer.json["revision"], name or self.name
            self.states.append((self.world.clock.now_ms(), self.name))

    @rule(seconds=st.integers(1, 1000) | st.sampled_from([60, 900, 1800]))
    def all_goes_well(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule(seconds=st.integers(1, 20_000) | st.sampled_from([900, 3600]))
    def nothing_works_for_a_while(self, seconds: int) -> None:
        self.world.clock.ms += seconds * 1000

    @rule(minutes=st.integers(1, 40))
    def no_worker_works_for_a_while(self, minutes: int) -> None:
        for _ in range(minutes):
            self.world.tick()
            self.world.clock.ms += MINUTE

    @rule()
    def one_tick(self) -> None:
        self.world.tick()

    @rule(fails=st.booleans())
    def calls_fail_from_now_on_or_do_not(self, fails: bool) -> None:
        result = Failed("http_4xx", "The answer was 404.", 404) if fails else Succeeded({})
        self.world.outcome = lambda _job, _run: result

    @precondition(lambda self: not self.deleted)
    @rule(name=st.sampled_from(sorted(SCHEDULES)))
    def reschedule(self, name: str) -> None:
        self.changed(self.api.patch(self.url, {"schedule": SCHEDULES[name][0]}), name)

    @precondition(lambda self: not self.deleted)
    @rule(policy=st.sampled_from(POLICIES))
    def change_something_else(self, policy: dict[str, Any]) -> None:
        self.changed(self.api.patch(self.url, {"misfire": policy}))

    @precondition(lambda self: not self.deleted)
    @rule()
    def pause(self) -> None:
        self.changed(self.api.post(f"{self.url}/pause"))

    @precondition(lambda self: not self.deleted)
    @rule()
    def resume(self) -> None:
        self.changed(self.api.post(f"{self.url}/resume"))

    @precondition(lambda self: not self.deleted and len(self.states) > 3)
    @rule()
    def delete(self) -> None:
        assert self.api.delete(self.url).status == 204
        self.deleted = True
        self.states.append((self.world.clock.now_ms(), "none"))

    def theoretical(self, until_ms: int) -> list[int]:
        ends = [since for since, _ in self.states[1:]] + [until_ms]
        found = []
        for (since, name), end in zip(self.states, ends, strict=True):
            found += moments(name, since, min(end, until_ms))
        return found

    def told(self, until_ms: int) -> list[dict[str, Any]]:
        """The whole timeline up to a moment, page by page."""
        url = f"{self.url}/timeline?from={rfc3339(NOON)}&to={rfc3339(until_ms + 1)}&limit=97"
        items, cursor = list[dict[str, Any]](), ""
        while cursor is not None:
            page = self.api.get(url + (f"&cursor={cursor}" if cursor else "")).json
            assert page["gaps"] == []
            items += page["items"]
            cursor = page["next_cursor"]
        return items

    def records(self) -> dict[str, Run]:
        return {rfc3339(run.nominal_ms): run for run in self.world.runs()}

    @invariant()
    def the_timeline_tells_each_occurrence_once_and_as_the_records_have_it(self) -> None:
        until_ms = self.world.clock.now_ms() + HOUR
        items, records = self.told(until_ms), self.records()
        nominals = [item["nominal_at"] for item in items]
        expected = [rfc3339(at_ms) for at_ms in self.theoretical(until_ms)]
        assert nominals == sorted(set(expected) | records.keys())
        ranges = self.skipped_ranges()
        for item in items:
            self.agrees(item, records.get(item["nominal_at"]), ranges)

    def agrees(self, item: dict[str, Any], run: Run | None, ranges: list[tuple[int, int, str]]) -> None:
        assert item["explanation"]
        inside = [why for first, last, why in ranges if rfc3339(first) <= item["nominal_at"] <= rfc3339(last)]
        assert item["run_id"] == (run.id if run else None)
        if run:
            assert item["outcome"] == ("skipped" if run.skip_reason else "run")
            assert (item["status"], item["reason"]) == (run.status.value, run.skip_reason)
        elif inside:
            assert item["outcome"] == "skipped"
            assert item["reason"] in inside
        elif item["nominal_at"] > rfc3339(self.world.clock.now_ms()):
            assert item["outcome"] == "upcoming"
        else:
            assert (item["outcome"], item["reason"]) in {
                ("pending", None),
                ("skipped", "superseded"),
                ("skipped", "paused"),
            }

    def skipped_ranges(self) -> list[tuple[int, int, str]]:
        class Named:
            id = self.url.rpartition("/")[2]

        return self.world.skips(Named())  # type: ignore[arg-type]

    def teardown(self) -> None:
        """When all works again, nothing stays open, nothing was done twice, and nothing was early."""
        if not hasattr(self, "world"):
            return
        self.world.advance(600)
        now_ms = self.world.clock.now_ms()
        outcomes = {item["nominal_at"]: item for item in self.told(now_ms - 2 * MINUTE)}
        assert {item["outcome"] for item in outcomes.values()} <= {"run", "skipped"}
        assert {item["status"] for item in outcomes.values()} <= {"SUCCEEDED", "FAILED", "SKIPPED", None}
        done = [run.nominal_ms for run, _ in self.world.executed]
        assert len(done) == len(set(done))
        assert all(moment >= run.due_ms for run, moment in self.world.executed)
        for nominal_ms in done:
            if nominal_ms <= now_ms - 2 * MINUTE:
                assert outcomes[rfc3339(nominal_ms)]["outcome"] == "run"


TestTheTimeline = Machine.TestCase
TestTheTimeline.settings = settings(max_examples=25, stateful_step_count=18, deadline=None)
