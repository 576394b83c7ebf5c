"""Zones by name, and what is assumed of their clock changes."""

from itertools import pairwise

import pytest

from chalicelib.domain.zones import check_zone, load_zone, zone, zone_names
from tests.support.tzif import transitions

EXPECTED_DAYS = 6.5
DAY_S = 86_400


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../etc/passwd", "a path"),
        ("/usr/share/zoneinfo/UTC", "a path"),
        ("Europe", "a folder"),
        ("zones", "a file of the package that is no zone"),
        ("CEST", "an abbreviation"),
        ("+02:00", "an offset"),
        ("Factory", "tzdata's name for no zone"),
        ("europe/berlin", "names have their case"),
        ("", "nothing"),
        ("Europe/Berlin\0", "a byte too many"),
    ],
)
def test_a_name_outside_the_list_is_no_zone(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match="no time zone is called"):
        check_zone(name)


def test_a_near_miss_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"did you mean Europe/Berlin\?"):
        check_zone("Europe/berlin")


def test_every_zone_loads_and_has_an_offset_for_today() -> None:
    offsets = {name: zone(name).offset(1_774_656_000) for name in zone_names()}
    assert len(offsets) > 400
    assert all(abs(offset) <= 14 * 3600 for offset in offsets.values())
    assert offsets["Asia/Kathmandu"] == 5 * 3600 + 45 * 60


def test_no_two_changes_of_a_zone_are_closer_than_the_probes() -> None:
    for name in zone_names():
        known = [at for at in transitions(name) if at > 0]
        offset = zone(name).offset
        near = [pair for pair in pairwise(known) if pair[1] - pair[0] <= EXPECTED_DAYS * DAY_S]
        assert not [pair for pair in near if all(offset(at) != offset(at - 1) for at in pair)], name


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Gaza", "UTC"]
)
def test_the_probes_find_each_change_that_the_file_lists(name: str) -> None:
    start, end = 946_684_800, 2_145_916_800  # 2000 to 2038
    found = [after.start for _, after in zone(name).changes(start, end)]
    offset = zone(name).offset
    listed = [at for at in transitions(name) if start <= at < end and offset(at) != offset(at - 1)]
    assert [at for at in found if at <= max(listed, default=0)] == listed


def test_zones_do_not_come_from_the_machine() -> None:
    assert load_zone("Europe/Berlin").key == "Europe/Berlin"
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert zone("UTC").fixed == 0
