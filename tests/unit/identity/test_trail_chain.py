"""A trail shows each way of tampering with it."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.callback_token import SigningKey
from chalicelib.identity.trail.checking import Anchor, Checked, checked, ended
from chalicelib.identity.trail.entries import Entry, Head, Opened, Outcome, hashed, sealed

KEY = SigningKey("one", b"1" * 32)
DAY = 86_400
NOW_S = 1_800_000_000


def chain(count: int, *, key: SigningKey | None = KEY, kept_days: int = 30) -> list[Entry]:
    """Entries of one a day, the last of them from now."""
    head, entries = Head(), []
    for number in range(1, count + 1):
        at_s = NOW_S - (count - number) * DAY
        opened = Opened(f"event_{number}", "ours", at_s * 1000, "key_a", "POST /jobs")
        expires_at = at_s + kept_days * DAY
        entry = sealed(opened, Outcome("done", 201), head, now_ms=at_s * 1000, expires_at=expires_at, key=key)
        entries.append(entry)
        head = entry.head
    return entries


def verdict(entries: list[Entry], head: Head, anchor: Anchor | None = None) -> Checked:
    found = checked(entries, tenant="ours", keys=[KEY], now_s=NOW_S, anchor=anchor)
    return ended(found, head, head, NOW_S, anchor)


def rewritten(entry: Entry, **fields: object) -> Entry:
    """With another text, and a hash that fits."""
    text = json.dumps({**json.loads(entry.text), **fields}, sort_keys=True, separators=(",", ":"))
    return replace(entry, text=text, hash=hashed(text))


def rebuilt(entries: list[Entry], at: int) -> list[Entry]:
    """One is changed, and all that follow are made anew by somebody without the key."""
    made = [*entries[:at], rewritten(entries[at], actor="somebody")]
    for entry in entries[at + 1 :]:
        previous = {"hash": made[-1].hash, "expires_at": made[-1].expires_at}
        made.append(rewritten(entry, previous=previous))
    return made


Tampering = Callable[[list[Entry]], list[Entry]]
WAYS: dict[str, tuple[Tampering, str, int]] = {
    "a text is changed": (lambda e: [*e[:2], replace(e[2], text=e[2].text + " "), *e[3:]], "changed", 3),
    "a text is no JSON": (
        lambda e: [*e[:2], replace(e[2], text="{", hash=hashed("{")), *e[3:]],
        "changed",
        3,
    ),
    "a text is something else": (
        lambda e: [replace(e[0], text="[]", hash=hashed("[]")), *e[1:]],
        "changed",
        1,
    ),
    "one with a hash that fits": (lambda e: [*e[:2], rewritten(e[2], actor="x"), *e[3:]], "forged", 3),
    "and without its signature": (
        lambda e: [*e[:2], replace(rewritten(e[2], actor="x"), key="", signature=""), *e[3:]],
        "broken",
        4,
    ),
    "all that follow are made anew": (lambda e: rebuilt(e, 2), "forged", 3),
    "it is of another tenant": (lambda e: [*e[:2], rewritten(e[2], tenant="x"), *e[3:]], "changed", 3),
    "one is taken out": (lambda e: [*e[:2], *e[3:]], "missing", 3),
    "the first is taken out": (lambda e: e[1:], "missing", 1),
    "one is put in twice": (lambda e: [*e[:3], replace(e[2], seq=4), *e[3:]], "changed", 4),
    "two change places": (
        lambda e: [*e[:2], replace(e[3], seq=3), replace(e[2], seq=4), *e[4:]],
        "changed",
        3,
    ),
    "one is said to expire at once": (
        lambda e: [*e[:2], replace(e[2], expires_at=NOW_S), *e[3:]],
        "changed",
        3,
    ),
    "the last are taken out": (lambda e: e[:3], "truncated", 4),
    "all are taken out": (lambda _: [], "truncated", 1),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_tampered_with_is_named(way: str) -> None:
    tamper, code, seq = WAYS[way]
    entries = chain(5)
    found = verdict(tamper(entries), entries[-1].head)
    assert found.problem is not None
    assert (found.problem.code, found.problem.seq) == (code, seq)


def test_a_trail_as_it_was_written_is_good_to_its_end() -> None:
    entries = chain(5)
    found = verdict(entries, entries[-1].head)
    assert (found.first, found.last, found.signed_to) == (1, Anchor(5, entries[-1].hash), 5)
    assert (found.problem, found.count) == (None, 5)


def test_a_trail_made_anew_without_signatures_is_vouched_for_by_nobody() -> None:
    entries = [replace(each, key="", signature="") for each in rebuilt(chain(5), 1)]
    assert verdict(entries, entries[-1].head).signed_to is None


def test_a_later_signature_vouches_for_what_an_unknown_key_has_signed() -> None:
    former = SigningKey("former", b"2" * 32)
    old = chain(2, key=former)
    opened = Opened("event_3", "ours", NOW_S * 1000, "key_a", "POST /jobs")
    new = sealed(opened, Outcome("done"), old[-1].head, now_ms=0, expires_at=NOW_S + DAY, key=KEY)
    found = verdict([*old, new], new.head)
    assert (found.problem, found.signed_to) == (None, 3)


@pytest.mark.parametrize("gone", [(), (1,), (2,), (1, 2, 3)])
def test_what_has_expired_may_be_gone_in_any_order(gone: tuple[int, ...]) -> None:
    entries = chain(5, kept_days=2)
    assert sum(each.expires_at <= NOW_S for each in entries) == 3
    found = verdict([each for each in entries if each.seq not in gone], entries[-1].head)
    assert (found.problem, found.first, found.count) == (None, 4, 2)


def test_what_is_kept_shorter_by_another_plan_outlives_what_came_before() -> None:
    [long] = chain(1, kept_days=400)
    opened = Opened("event_2", "ours", NOW_S * 1000, "key_a", "POST /jobs")
    short = sealed(opened, Outcome("done"), long.head, now_ms=0, expires_at=NOW_S + DAY, key=KEY)
    assert short.expires_at == long.expires_at


def test_a_trail_whose_entries_have_all_expired_is_good() -> None:
    head = chain(3, kept_days=0)[-1].head
    assert verdict([], head) == Checked()


def test_an_anchor_shows_what_was_cut_off_together_with_the_head() -> None:
    entries = chain(5)
    anchor = Anchor(5, entries[-1].hash)
    assert verdict(entries[-1:], entries[-1].head, anchor).problem is None
    cut = verdict([], entries[2].head, anchor)
    assert cut.problem is not None
    assert cut.problem.code == "truncated"
    other = verdict(rebuilt(entries, 3)[-1:], entries[-1].head, anchor)
    assert other.problem is not None
    assert other.problem.seq == 5


def test_a_part_goes_on_where_the_one_before_has_ended() -> None:
    entries = chain(6)
    first = checked(entries[:3], tenant="ours", keys=[KEY], now_s=NOW_S)
    assert first.last is not None
    second = checked(entries[2:], tenant="ours", keys=[KEY], now_s=NOW_S, anchor=first.last)
    assert (second.problem, second.last) == (None, Anchor(6, entries[-1].hash))


def test_an_anchor_that_has_expired_gives_way_to_what_is_kept() -> None:
    entries = chain(5, kept_days=2)
    found = verdict(entries[3:], entries[-1].head, Anchor(1, entries[0].hash))
    assert (found.problem, found.first) == (None, 4)


def test_a_head_that_was_set_back_is_named() -> None:
    entries = chain(5)
    found = verdict(entries, entries[2].head)
    assert found.problem is not None
    assert (found.problem.code, found.problem.seq) == ("set_back", 4)
