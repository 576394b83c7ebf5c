"""Roles: each may do what the one before may, and a key no more than its scopes."""

import pytest

from chalicelib.domain.permissions import ACCOUNT, PERMISSIONS, ROLES, Role, permissions_of

LADDER: list[tuple[Role, Role]] = [
    ("viewer", "operator"),
    ("operator", "editor"),
    ("editor", "admin"),
    ("admin", "owner"),
]


@pytest.mark.parametrize(("lower", "higher"), LADDER)
def test_a_higher_role_may_do_more(lower: Role, higher: Role) -> None:
    assert ROLES[lower] < ROLES[higher]


def test_who_looks_changes_nothing_and_sees_neither_keys_nor_the_trail() -> None:
    assert all(each.endswith(":read") for each in ROLES["viewer"])
    assert not ROLES["viewer"] & {"keys:read", "audit:read"}


def test_a_program_reaches_no_people_and_no_keys() -> None:
    assert not {each for each in ROLES["service"] if each.startswith(("members", "keys", "audit"))}


def test_scopes_narrow_a_role_and_never_widen_it() -> None:
    assert permissions_of("viewer", ["jobs:read", "jobs:write", "nonsense"]) == {"jobs:read"}
    assert permissions_of("viewer", []) == frozenset()
    assert permissions_of("viewer") == ROLES["viewer"]


def test_ones_own_account_is_no_matter_of_a_tenants_role() -> None:
    assert not any(ACCOUNT & granted for granted in ROLES.values())
    assert ACCOUNT < PERMISSIONS
