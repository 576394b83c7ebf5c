"""Roles that jobs name are judged when a job is saved: only those that the operator lets in."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.features.jobs.roles import check_roles
from tests.support.world import World

ROLE = "arn:aws:iam::123456789012:role/jobs"


def problems(config: Any, *allowed: str) -> list[tuple[str, str]]:
    engine = World().engine
    engine = replace(engine, settings=replace(engine.settings, job_roles=allowed))
    try:
        check_roles(engine, config)
    except Invalid as error:
        return [(each.pointer, each.code) for each in error.problems]
    return []


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "no role"),
        ({"role_arn": ROLE}, "let in"),
        ({"role_arn": None}, "none is named"),
        ({"role_arn": "${{ job.tags.role }}"}, "filled in by the attempt, which judges it then"),
        ({"body": {"role": "arn:aws:iam::1:role/x"}}, "another field"),
    ],
)
def test_a_config_with_roles_that_are_let_in_is_accepted(config: Any, why: str) -> None:
    assert problems(config, ROLE) == [], why


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"role_arn": "arn:aws:iam::1:role/x"}, "/config/role_arn"),
        ({"to": {"role_arn": "x"}}, "/config/to/role_arn"),
        ({"steps": [{}, {"role_arn": "x"}]}, "/config/steps/1/role_arn"),
    ],
)
def test_a_role_that_is_not_let_in_is_refused_with_its_place(config: Any, pointer: str) -> None:
    assert problems(config, ROLE) == [(pointer, "role_not_allowed")]


def test_where_no_roles_are_let_in_the_sentence_says_so() -> None:
    with pytest.raises(Invalid) as caught:
        check_roles(World().engine, {"role_arn": ROLE})
    assert "JOB_ROLES" in caught.value.problems[0].message
