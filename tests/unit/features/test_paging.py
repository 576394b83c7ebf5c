"""Cursors, and filling a page from further back."""

import json
from base64 import b64encode, urlsafe_b64decode

import pytest

from chalicelib.domain.errors import Invalid, Unavailable
from chalicelib.features.paging import MAX_SCANNED, List, PageQuery, read_page
from chalicelib.ports.secrets import NoSecrets
from tests.support.memory import MemorySecrets
from tests.support.world import SIGNING_KEYS

SECRETS = MemorySecrets(signing_key=SIGNING_KEYS)
JOB = "job_" + "0" * 25 + "1"


class FilteredQuery(PageQuery):
    color: str | None = None


def numbers(up_to: int) -> tuple[list[int], object]:
    asked: list[int] = []

    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, int | None]], bool]:
        start = int(after or 0) + 1
        asked.append(start)
        page = range(start, min(start + count, up_to + 1))
        return [(str(number), number) for number in page], start + count <= up_to

    return asked, fetch


@pytest.mark.parametrize(
    ("up_to", "limit", "after", "found", "last"),
    [
        (0, 3, None, [], None),
        (3, 3, None, [1, 2, 3], None),
        (4, 3, None, [1, 2, 3], "3"),
        (4, 3, "3", [4], None),
    ],
)
def test_a_page_ends_at_its_limit_or_with_the_list(
    up_to: int, limit: int, after: str | None, found: list[int], last: str | None
) -> None:
    assert read_page(numbers(up_to)[1], lambda _: True, limit, after) == (found, last)  # type: ignore[arg-type]


def test_a_filtered_page_is_filled_from_further_back() -> None:
    assert read_page(numbers(20)[1], lambda n: n % 5 == 0, 2, None) == ([5, 10], "10")  # type: ignore[arg-type]


def test_a_page_that_finds_nothing_for_long_comes_back_short_with_a_cursor() -> None:
    asked, fetch = numbers(10 * MAX_SCANNED)
    found, last = read_page(fetch, lambda _: False, 100, None)  # type: ignore[arg-type]
    assert (found, last) == ([], str(MAX_SCANNED))
    assert len(asked) == 10


def test_a_record_that_is_gone_by_now_is_left_out() -> None:
    rows: list[tuple[str, int | None]] = [("1", None), ("2", 2)]
    assert read_page(lambda _after, _count: (rows, False), lambda _: True, 5, None) == ([2], None)


def test_a_cursor_comes_back_as_the_id_that_it_was_made_of() -> None:
    pages = List(SECRETS, "t", "jobs", "job", PageQuery())
    assert pages.after(pages.cursor(JOB)) == JOB
    assert (pages.cursor(None), pages.after(None)) == (None, None)


@pytest.mark.parametrize(
    "other",
    [
        List(SECRETS, "u", "jobs", "job", FilteredQuery(color="red")),
        List(SECRETS, "t", "runs", "job", FilteredQuery(color="red")),
        List(SECRETS, "t", "jobs", "job", FilteredQuery(color="blue")),
        List(SECRETS, "t", "jobs", "job", FilteredQuery()),
        List(SECRETS, "t", "jobs", "run", FilteredQuery(color="red")),
    ],
    ids=["another tenant", "another list", "another filter", "no filter", "another kind of id"],
)
def test_a_cursor_of_one_list_is_refused_by_any_other(other: List) -> None:
    cursor = List(SECRETS, "t", "jobs", "job", FilteredQuery(color="red")).cursor(JOB)
    with pytest.raises(Invalid):
        other.after(cursor)


def test_a_cursor_serves_any_page_size() -> None:
    cursor = List(SECRETS, "t", "jobs", "job", PageQuery(limit=1)).cursor(JOB)
    assert List(SECRETS, "t", "jobs", "job", PageQuery(limit=100, cursor=cursor)).after(cursor) == JOB


def signed_with(*ids: str) -> str:
    return json.dumps([{"id": each, "key": b64encode(each.encode() * 8).decode()} for each in ids])


def test_a_cursor_is_worth_nothing_where_another_key_signs() -> None:
    cursor = List(MemorySecrets(signing_key=signed_with("aaaa")), "t", "jobs", "job", PageQuery()).cursor(JOB)
    theirs = json.dumps([{"id": "aaaa", "key": b64encode(b"guessed" * 5).decode()}])
    for keys in (theirs, signed_with("bbbb")):
        with pytest.raises(Invalid):
            List(MemorySecrets(signing_key=keys), "t", "jobs", "job", PageQuery()).after(cursor)


def test_a_cursor_outlives_the_rotation_of_its_key() -> None:
    cursor = List(MemorySecrets(signing_key=signed_with("old")), "t", "jobs", "job", PageQuery()).cursor(JOB)
    after = List(MemorySecrets(signing_key=signed_with("new", "old")), "t", "jobs", "job", PageQuery())
    assert after.after(cursor) == JOB


def test_a_cursor_of_a_key_that_is_newer_than_what_is_known_is_looked_up_again() -> None:
    secrets = MemorySecrets(signing_key=signed_with("new", "old"))
    cursor = List(secrets, "t", "jobs", "job", PageQuery()).cursor(JOB)
    secrets.stale["signing-key"] = signed_with("old")
    assert List(secrets, "t", "jobs", "job", PageQuery()).after(cursor) == JOB


def test_without_a_key_only_lists_of_one_page_are_given() -> None:
    pages = List(NoSecrets(), "t", "jobs", "job", PageQuery())
    assert pages.cursor(None) is None
    with pytest.raises(Unavailable, match="no signing key"):
        pages.cursor(JOB)


def test_a_cursor_names_no_tenant_and_no_filter() -> None:
    cursor = List(SECRETS, "tenant-a", "jobs", "job", FilteredQuery(color="red")).cursor(JOB) or ""
    text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    assert "tenant-a" not in text
    assert "red" not in text
