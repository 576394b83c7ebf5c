"""Roles: each may do what the one before may, and a key no more than its scopes."""

from dataclasses import dataclass
from typing import get_args

import pytest

from chalicelib.domain.access import Access
from chalicelib.domain.permissions import (
    ACCOUNT,
    JOB_PERMISSIONS,
    PERMISSIONS,
    ROLES,
    Role,
    may,
    may_share,
    permissions_of,
)
from tests.support.jobs import some_job

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


OWNER, OTHER = "user_" + "1" * 26, "key_" + "2" * 26


@dataclass(frozen=True)
class Someone:
    """Who asks."""

    role: Role
    actor: str = OTHER
    scopes: frozenset[str] | None = None

    @property
    def permissions(self) -> frozenset[str]:
        return permissions_of(self.role, self.scopes)


OPEN = Access()
CLOSED = Access(restricted=True)
GRANTED = Access(grants={OTHER: "operator"})
CLOSED_GRANTED = Access(restricted=True, grants={OTHER: "operator"})

JUDGED: list[tuple[Someone, Access | None, str, bool, str]] = [
    (Someone("editor"), None, "jobs:write", True, "by the role"),
    (Someone("editor"), OPEN, "jobs:write", True, "by the role, though something was settled once"),
    (Someone("viewer"), OPEN, "jobs:operate", False, "not by the role"),
    (Someone("editor"), CLOSED, "jobs:write", False, "the role does not count on a restricted job"),
    (Someone("service"), CLOSED, "runs:write", False, "nor does a program's"),
    (Someone("editor", OWNER), CLOSED, "jobs:write", True, "its owner"),
    (Someone("viewer", OWNER), CLOSED, "jobs:write", False, "an owner who may write no jobs any more"),
    (Someone("admin"), CLOSED, "jobs:write", True, "an admin is kept out of no job"),
    (Someone("owner"), CLOSED, "runs:write", True, "nor is an owner of the tenant"),
    (Someone("admin", scopes=frozenset({"jobs:read"})), CLOSED, "jobs:write", False, "but for their scopes"),
    (Someone("viewer"), GRANTED, "jobs:operate", True, "by the grant"),
    (Someone("viewer"), GRANTED, "runs:write", True, "by the grant, on runs too"),
    (Someone("viewer"), GRANTED, "jobs:write", False, "not by the grant"),
    (Someone("editor"), GRANTED, "jobs:write", True, "a grant takes nothing away"),
    (Someone("viewer"), GRANTED, "calendars:write", False, "a grant is about the job alone"),
    (Someone("editor"), CLOSED_GRANTED, "jobs:operate", True, "by the grant, on a restricted job"),
    (Someone("editor"), CLOSED_GRANTED, "jobs:write", False, "on a restricted job the grant is all"),
    (Someone("viewer", scopes=frozenset({"runs:write"})), GRANTED, "runs:write", True, "granted, in scope"),
    (Someone("viewer", scopes=frozenset({"jobs:read"})), GRANTED, "runs:write", False, "out of scope"),
    (Someone("viewer", "user_" + "3" * 26), GRANTED, "runs:write", False, "granted to another"),
    (Someone("viewer"), CLOSED, "jobs:read", True, "all of the tenant see it"),
    (Someone("viewer", scopes=frozenset()), CLOSED_GRANTED, "jobs:read", False, "but for their scopes"),
]


@pytest.mark.parametrize(
    ("asker", "access", "permission", "allowed", "reason"), JUDGED, ids=[row[4] for row in JUDGED]
)
def test_who_may_do_what_to_a_job(
    asker: Someone, access: Access | None, permission: str, *, allowed: bool, reason: str
) -> None:
    job = some_job(created_by=OWNER, access=access)
    assert may(asker, job, permission) is allowed, reason


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("permission", sorted(JOB_PERMISSIONS))
def test_on_a_job_of_which_nothing_is_settled_the_role_says_all(role: Role, permission: str) -> None:
    assert may(Someone(role), some_job(created_by=OWNER), permission) is (permission in ROLES[role])


@pytest.mark.parametrize(
    ("asker", "allowed", "reason"),
    [
        (Someone("editor", OWNER), True, "the owner"),
        (Someone("service", OWNER), True, "a key that owns it"),
        (Someone("viewer", OWNER), False, "they would grant themselves what was taken from them"),
        (Someone("editor"), False, "another editor"),
        (Someone("admin"), True, "an admin"),
        (Someone("admin", scopes=frozenset({"jobs:read"})), False, "a key that may only read"),
    ],
)
def test_who_may_share_a_job(asker: Someone, *, allowed: bool, reason: str) -> None:
    granted = some_job(created_by=OWNER, access=Access(grants={OTHER: "editor"}))
    assert may_share(asker, granted) is allowed, reason


def test_a_job_that_was_given_away_is_no_longer_its_creators() -> None:
    given = some_job(created_by=OWNER, owner=OTHER, access=CLOSED)
    assert may(Someone("editor", OTHER), given, "jobs:write")
    assert not may(Someone("editor", OWNER), given, "jobs:write")
