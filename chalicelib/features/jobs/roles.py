"""The AWS roles that a job's config names: only those that the operator lets jobs use."""

from collections.abc import Iterator
from typing import Any

from chalicelib.domain.differences import pointer
from chalicelib.domain.errors import FieldProblem
from chalicelib.engine.core import Engine
from chalicelib.features.validation import refusal

FIELD = "role_arn"
_PLACEHOLDER = "${{"


def check_roles(engine: Engine, config: Any) -> None:
    """Invalid, with a pointer to each role that is not let in. What a template fills in is judged by the attempt."""
    allowed = engine.settings.job_roles
    problems = [
        FieldProblem(place, _sentence(bool(allowed)), "role_not_allowed")
        for place, role in _named(config, ("config",))
        if role not in allowed and _PLACEHOLDER not in role
    ]
    if problems:
        raise refusal(problems)


def _named(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    """The roles in it, with pointers; at any depth, since a config may hold another."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if name == FIELD and isinstance(part, str):
            yield pointer([*place, name]), part
        else:
            yield from _named(part, (*place, name))


def _sentence(some: bool) -> str:
    if some:
        return "Jobs of this deployment may not use this role: its operator has to add it to JOB_ROLES."
    return "Jobs of this deployment may use no AWS roles: its operator has to name them in JOB_ROLES."
