"""Which run gets a slot, which waits, which is turned away: the pure decision."""

import pytest

from chalicelib.domain.job import Concurrency
from chalicelib.engine.flow.admission import LOOK_AGAIN_MS, next_look_ms
from chalicelib.engine.flow.slots import Admission, Candidate, Place, Refuse, Slot, Take, Wait, admit

NOW = 1_000_000
ME = Candidate("run_5", 500)


def rule(policy: str, limit: int = 1, buffer: int = 1) -> Concurrency:
    return Concurrency.model_validate({"policy": policy, "limit": limit, "buffer": buffer})


def slot(number: int, run_id: str, ends_in: int = 100) -> Slot:
    return Slot(number, run_id, NOW + ends_in)


def place(number: int, run_id: str, nominal_ms: int, ends_in: int = 100) -> Place:
    return Place(number, run_id, nominal_ms, NOW + ends_in, "message")


EARLIER, LATER = place(0, "run_4", 400), place(0, "run_6", 600)

TABLE: list[tuple[Concurrency, list[Slot], list[Place], Candidate, Admission, str]] = [
    (rule("forbid"), [], [], ME, Take(0), "nobody is active"),
    (rule("forbid"), [slot(0, "run_4")], [], ME, Refuse("overlap"), "one is active"),
    (
        rule("forbid"),
        [slot(0, "run_4", 0)],
        [],
        ME,
        Refuse("overlap"),
        "its lease ends with this millisecond",
    ),
    (rule("forbid"), [slot(0, "run_4", -1)], [], ME, Take(0), "its lease has run out"),
    (rule("forbid"), [slot(0, "run_5")], [], ME, Take(0), "the slot is its own: its first worker died"),
    (rule("forbid", 2), [slot(0, "run_4")], [], ME, Take(1), "two may be active"),
    (rule("forbid", 2), [slot(1, "run_4")], [], ME, Take(0), "the first free number"),
    (
        rule("forbid", 1),
        [slot(3, "run_4")],
        [],
        ME,
        Refuse("overlap"),
        "the limit was lowered below who is active",
    ),
    (
        rule("forbid"),
        [slot(0, "run_4")],
        [],
        Candidate("run_5", 500, True),
        Wait(),
        "a begun run is not skipped",
    ),
    (rule("queue"), [slot(0, "run_4")], [], ME, Wait(0), "it waits"),
    (rule("queue"), [slot(0, "run_3")], [EARLIER], ME, Refuse("buffer_full"), "one waits, and one may"),
    (rule("queue", 1, 2), [slot(0, "run_3")], [EARLIER], ME, Wait(1), "two may wait"),
    (rule("queue"), [slot(0, "run_3")], [place(0, "run_4", 400, -1)], ME, Wait(0), "who waited is lost"),
    (
        rule("queue"),
        [slot(0, "run_4")],
        [place(0, "run_5", 500)],
        ME,
        Wait(0),
        "it waits on, in its own place",
    ),
    (rule("queue"), [], [place(0, "run_5", 500)], ME, Take(0, 0), "its turn: it leaves its place"),
    (
        rule("queue"),
        [],
        [EARLIER],
        ME,
        Refuse("buffer_full"),
        "the slot is for who came before, and one may wait",
    ),
    (rule("queue", 1, 2), [], [EARLIER], ME, Wait(1), "the slot is for who came before"),
    (rule("queue"), [], [LATER], ME, Take(0), "who came after stands behind"),
    (rule("queue", 2), [], [EARLIER], ME, Take(0), "there are slots for both"),
    (rule("replace"), [], [], ME, Take(0), "nobody is active"),
    (rule("replace"), [slot(0, "run_4")], [], ME, Wait(0, "run_4"), "the active one is to be cancelled"),
    (rule("replace", 2), [slot(0, "run_4"), slot(1, "run_2")], [], ME, Wait(0, "run_2"), "the oldest one is"),
    (rule("replace"), [slot(0, "run_3")], [EARLIER], ME, Wait(0, "run_3", EARLIER), "the newest waits alone"),
    (rule("replace"), [slot(0, "run_3")], [LATER], ME, Refuse("overlap"), "a newer one waits already"),
    (rule("replace"), [slot(0, "run_3")], [place(0, "run_5", 500)], ME, Wait(0, "run_3"), "it waits on"),
]


@pytest.mark.parametrize(("concurrency", "slots", "places", "wanted", "expected", "why"), TABLE)
def test_a_run_that_is_due_is_admitted_refused_or_waits(
    concurrency: Concurrency,
    slots: list[Slot],
    places: list[Place],
    wanted: Candidate,
    expected: Admission,
    why: str,
) -> None:
    assert admit(concurrency, slots, places, wanted, now_ms=NOW) == expected, why


@pytest.mark.parametrize("run_id", ["run_5", "run_6", "run_7"])
def test_all_messages_of_a_run_that_waits_lead_to_one_look_a_minute(run_id: str) -> None:
    moments = {next_look_ms(run_id, NOW + each) for each in range(0, LOOK_AGAIN_MS, 7)}
    assert len(moments) == 2
    assert max(moments) - min(moments) == LOOK_AGAIN_MS


@pytest.mark.parametrize("later_ms", range(0, LOOK_AGAIN_MS, 4_999))
def test_who_waits_looks_again_in_half_a_minute_to_one_and_a_half(later_ms: int) -> None:
    now_ms = NOW + later_ms
    assert LOOK_AGAIN_MS // 2 <= next_look_ms("run_5", now_ms) - now_ms < LOOK_AGAIN_MS * 3 // 2
