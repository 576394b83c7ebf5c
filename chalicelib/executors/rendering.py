"""A job's config as one attempt uses it: with its trigger's changes, its templates filled in, its secrets known."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.masking import Masks
from chalicelib.domain.merge_patch import merged
from chalicelib.domain.occurrences import Timetable, timetable, window_start
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.domain.run import Run
from chalicelib.domain.template_filters import TemplateError, Value, text_of
from chalicelib.domain.templates import BadTemplate, Facts, SecretRef, has_templates, is_telling, rendered
from chalicelib.ports.job_secrets import JobSecrets

T = TypeVar("T")
UNSEEN = "unseen"
"""What stands for a secret where it must not matter."""


class SecretUnavailable(Exception):
    """A secret could not be read now; another attempt may. The message names it."""


@dataclass(frozen=True, slots=True)
class Filled:
    """`refs` name the secrets that went into the config, `secrets` are their texts, also as filters made them.

    `templated`: whether it has any templates.
    """

    config: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    refs: tuple[SecretRef, ...] = ()
    templated: bool = True


def config_of(job: Job, run: Run) -> dict[str, Any]:
    """The job's config as it is now, with what the run's trigger wanted otherwise; templates as they are."""
    config: dict[str, Any] = merged(job.config, run.overrides) if run.overrides else job.config
    return config


def facts_of(job: Job, run: Run) -> Facts:
    """What the templates of the job's config can name in this run, but for its secrets."""
    return Facts(
        run_id=run.id,
        nominal_ms=run.nominal_ms,
        scheduled_ms=run.due_ms,
        attempt=run.attempt,
        trigger=run.trigger,
        job_id=job.id,
        job_name=job.name,
        tenant=job.tenant,
        tags=job.tags,
        window_start_ms=lambda: window_start(_timetable(job), run.nominal_ms, job.created_ms),
    )


def _timetable(job: Job) -> Timetable:
    return timetable(job.schedule, job_id=job.id, created_ms=job.created_ms, exclude=job.exclude)


def filled(job: Job, run: Run, secrets: JobSecrets, is_over: Callable[[], bool] = lambda: False) -> Filled:
    """The config of an attempt. BadTemplate if it cannot be filled in; SecretUnavailable.

    TimeoutError if the attempt `is_over` while there are still secrets to read, each of which may take seconds.
    """
    config = config_of(job, run)
    if not has_templates(config):
        return Filled(config, templated=False)
    seen: list[str] = []
    refs: list[SecretRef] = []

    def secret(ref: SecretRef) -> Value:
        if refs and is_over():
            raise TimeoutError
        refs.append(ref)
        found = _secret(secrets, job.tenant, ref)
        if is_telling(found):
            seen.append(text_of(found))
        return found

    facts = replace(facts_of(job, run), secret=secret)
    return Filled(rendered(config, facts, seen.append), _distinct(seen), _distinct(refs))


def _distinct(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def public_config(job: Job, run: Run) -> dict[str, Any]:
    """The config of a run without reading a secret; as it is stored if it cannot be filled in. It never raises."""
    config = config_of(job, run)
    try:
        facts = replace(facts_of(job, run), secret=lambda _ref: UNSEEN)
        found: dict[str, Any] = rendered(config, facts)
    except BadTemplate:
        return config
    return found


def discreet(outcome: Outcome, masks: Masks) -> Outcome:
    """The outcome with what it must not show blacked out."""
    if not masks:
        return outcome
    result = masks.value(outcome.result)
    if isinstance(outcome, Failed):
        return replace(outcome, message=masks.text(outcome.message), result=result)
    return replace(outcome, result=result)


def _secret(secrets: JobSecrets, tenant: str, ref: SecretRef) -> Value:
    try:
        text = secrets.read(tenant, ref)
    except Unavailable as error:
        raise SecretUnavailable(f"{ref} cannot be read now. {error.message}") from error
    if text is None:
        raise TemplateError(f"there is no secret {ref.store}.{ref.name}")
    return text if ref.field is None else _field(ref, text)


def _field(ref: SecretRef, text: str) -> Value:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TemplateError(f"{ref.store}.{ref.name} is no JSON object, so it has no field {ref.field!r}")
    value = found.get(ref.field)
    if not isinstance(value, str | int | float):
        raise TemplateError(f"{ref.store}.{ref.name} has no text, number or boolean {ref.field!r}")
    return value
