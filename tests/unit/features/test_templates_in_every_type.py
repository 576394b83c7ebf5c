"""Whatever stands in whichever field of whichever type: it is judged, and nothing but a verdict comes out."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Outcome
from chalicelib.domain.run import Run, RunStatus
from chalicelib.executors import registry
from chalicelib.executors.attempt import attempts, target_of
from chalicelib.executors.base import ExecutorSettings
from chalicelib.features.jobs.definition import config_problems
from chalicelib.features.jobs.samples import sample_facts
from chalicelib.ports.contact import Contact
from tests.support.memory import FakeClock, MemoryJobSecrets
from tests.support.world import NOON, TENANT

SECRET = "unlikely-\x7f-secret"
TEMPLATES = (
    "${{ run.id }}",
    "${{ run.attempt }}",
    "${{ secrets.x }}",
    "a${{ secrets.x }}",
    "${{ nothing }}",
    "${{",
)


def configs(templates: Sequence[str]) -> list[Any]:
    """Each string of each example, replaced by each of the templates."""
    return list(_configs(templates))


def _configs(templates: Sequence[str]) -> Iterator[Any]:
    for type_ in registry.types():
        spec = registry.spec(type_)
        assert spec is not None
        examples = [spec.example, *(job["config"] for job in spec.examples.values())]
        for number, example in enumerate(examples):
            for path in _strings(example):
                for template in templates:
                    name = f"{type_}-{number}-{'.'.join(map(str, path))}-{template}"
                    yield pytest.param(type_, _with(example, path, template), template, id=name)


def _strings(value: Any) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        yield ()
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, each in parts:
        yield from ((part, *rest) for rest in _strings(each))


def _with(value: Any, path: tuple[str | int, ...], text: str) -> Any:
    if not path:
        return text
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], text)
    return copy


@pytest.mark.parametrize(("type_", "config", "template"), configs(TEMPLATES))
def test_a_template_anywhere_is_judged(type_: str, config: Any, template: str) -> None:
    found = config_problems(type_, config, sample_facts("job", {}))
    if template in ("${{ nothing }}", "${{"):
        assert [each.code for each in found] == ["invalid_template"]
    for each in found:
        assert each.pointer.startswith("/config")
        assert SECRET not in each.message


@pytest.mark.parametrize(
    ("type_", "config", "template"), configs([each for each in TEMPLATES if "secrets" in each])
)
def test_a_secret_is_in_no_outcome_whether_it_fits_or_not(type_: str, config: Any, template: str) -> None:
    assert SECRET not in repr(_late(type_, config)), template


def _late(type_: str, config: Any) -> Outcome:
    """What comes of an attempt whose time is up when it begins."""
    secrets, clock = MemoryJobSecrets(), FakeClock()
    secrets.put(TENANT, "secrets.x", SECRET)
    fields = {"name": "n", "type": type_, "config": config, "id": "job_1", "tenant": TENANT, "shard": 0}
    job = Job.model_validate({**fields, "created_ms": NOON, "updated_ms": NOON})
    run = Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "manual", NOON, NOON, 1, attempt=1)
    target_of(job, run)
    attempt = attempts(clock, ExecutorSettings(), secrets=secrets)
    return attempt(job, run, clock.monotonic() - 1, Contact())
