"""Identifiers follow from what they name, sort by time, and are told from noise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.ids import bucket_of, instant_of, is_id, job_id, run_id, ulid

INSTANTS = st.integers(0, 2**48 - 1)


def test_a_ulid_is_written_as_its_specification_says() -> None:
    assert ulid(1469918176385, bytes(10)) == "01ARYZ6S410000000000000000"
    assert ulid(2**48 - 1, b"\xff" * 10) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@given(INSTANTS, INSTANTS)
def test_ids_sort_by_their_moment(first: int, second: int) -> None:
    assert (job_id(first, b"\xff" * 10) < job_id(second, bytes(10))) == (first < second)


@given(INSTANTS)
def test_the_moment_can_be_read_back(moment: int) -> None:
    assert instant_of(run_id("job_x", moment)) == moment


def test_one_occurrence_has_one_id_and_another_trigger_another() -> None:
    assert run_id("job_a", 5) == run_id("job_a", 5)
    assert (
        len({run_id("job_a", 5), run_id("job_b", 5), run_id("job_a", 6), run_id("job_a", 5, "manual:1")}) == 4
    )


def test_shards_are_stable_and_evenly_used() -> None:
    counts = [0] * 64
    for number in range(6400):
        counts[bucket_of(job_id(number, number.to_bytes(10, "big")), 64)] += 1
    assert min(counts) > 50
    assert bucket_of("job_01ARYZ6S410000000000000000", 64) == 53


NO_IDS = [
    ("", "empty"),
    ("run_01ARYZ6S410000000000000000", "another prefix"),
    ("job_01ARYZ6S41000000000000000", "too short"),
    ("job_01ARYZ6S41000000000000000U", "not in the alphabet"),
    ("job_01aryz6s410000000000000000", "lower case"),
    ("job_01ARYZ6S4100000000000000#0", "a separator of our keys"),
]


@pytest.mark.parametrize(("text", "_reason"), NO_IDS)
def test_what_is_no_job_id_is_told_at_once(text: str, _reason: str) -> None:
    assert not is_id(text, "job")


def test_a_real_id_passes() -> None:
    assert is_id(job_id(1, bytes(10)), "job")
    with pytest.raises(ValueError):
        instant_of("job_nonsense")
