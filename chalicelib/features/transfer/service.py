"""Importing: each definition is compared with the job of its name, then created, put in its place, or left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.differences import Difference, differences
from chalicelib.domain.errors import ChronosError, Conflict, FieldProblem, Invalid
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.engine.core import Engine
from chalicelib.features.jobs import changes, service
from chalicelib.features.jobs.definition import definition_of
from chalicelib.features.jobs.filters import JobFilter
from chalicelib.features.permitted import check_on_job
from chalicelib.features.transfer.views import OnConflict, Outcome
from chalicelib.features.validation import MAX_PROBLEMS, refusal
from chalicelib.identity.principal import Principal

MAX_KNOWN = 5_000
"""Jobs of a tenant among which names are looked for: there is no index by name."""
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """A definition, what is to become of it, and the job of its name, where there is exactly one."""

    definition: JobDefinition
    outcome: Outcome
    job: Job | None = None
    changes: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of it."""

    planned: Planned
    outcome: Outcome
    job_id: str | None
    error: ChronosError | None = None


def definitions_of(documents: Sequence[dict[str, Any]]) -> list[JobDefinition]:
    """Invalid, with all that is wrong in any of them, if anything is."""
    found: list[JobDefinition] = []
    problems: list[FieldProblem] = []
    names: set[str] = set()
    for place, document in enumerate(documents):
        try:
            definition = definition_of(document)
        except Invalid as error:
            problems += [
                FieldProblem(f"/jobs/{place}{each.pointer}", each.message, each.code)
                for each in error.problems
            ]
            continue
        if definition.name in names:
            problems.append(
                FieldProblem(f"/jobs/{place}/name", "Another one here has this name.", "repeated")
            )
        names.add(definition.name)
        found.append(definition)
    if problems:
        raise refusal(problems[:MAX_PROBLEMS])
    return found


def planned(
    engine: Engine, tenant: str, wanted: Sequence[JobDefinition], policy: OnConflict
) -> list[Planned]:
    """What is to become of each. Conflict if the tenant has too many jobs to look among."""
    known = _by_name(engine, tenant, {each.name for each in wanted})
    return [_planned(each, known.get(each.name, []), policy) for each in wanted]


def _planned(wanted: JobDefinition, known: Sequence[Job], policy: OnConflict) -> Planned:
    if not known:
        return Planned(wanted, "created")
    same = next((job for job in known if job.definition == wanted), None)
    if same is not None:
        return Planned(wanted, "unchanged", same)
    if len(known) > 1:
        return Planned(wanted, "skipped" if policy == "skip" else "conflict")
    found = tuple(differences(document_of(known[0]), document_of(wanted)))
    outcomes: Mapping[OnConflict, Outcome] = {"fail": "conflict", "skip": "skipped", "replace": "replaced"}
    return Planned(wanted, outcomes[policy], known[0], found)


def document_of(definition: JobDefinition) -> dict[str, Any]:
    """The definition as clients write it."""
    names = set(JobDefinition.model_fields)
    return definition.model_dump(mode="json", exclude_none=True, include=names)


def _by_name(engine: Engine, tenant: str, names: set[str]) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    after, seen = None, 0
    while seen < MAX_KNOWN:
        jobs, after = service.listed(engine, tenant, JobFilter(), limit=_PAGE, after=after)
        for job in jobs:
            if job.name in names:
                found.setdefault(job.name, []).append(job)
        if after is None:
            return found
        seen += len(jobs)
    raise Conflict(f"Names are looked for among {MAX_KNOWN} jobs at most, and there are more.")


def refuse_conflicts(plan: Sequence[Planned]) -> None:
    """Conflict, with the names, if any of them is one."""
    names = [repr(each.definition.name) for each in plan if each.outcome == "conflict"]
    if names:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        raise Conflict(f"Nothing was imported: other jobs have the names {', '.join(names[:10])}{more}.")


def rehearsed(engine: Engine, principal: Principal, plan: Sequence[Planned]) -> list[Imported]:
    """What would become of each, without doing it."""
    return [_rehearsed(engine, principal, each) for each in plan]


def _rehearsed(engine: Engine, principal: Principal, each: Planned) -> Imported:
    job_id = each.job.id if each.job else None
    try:
        _check_permitted(engine, principal, each)
    except ChronosError as error:
        return Imported(each, "failed", job_id, error)
    return Imported(each, each.outcome, job_id)


def _check_permitted(engine: Engine, principal: Principal, each: Planned) -> None:
    if each.outcome == "replaced" and each.job:
        check_on_job(engine, principal, "jobs:write", each.job.id)


def carry_out(engine: Engine, principal: Principal, plan: Sequence[Planned]) -> list[Imported]:
    """Each by itself: one that fails stops no other."""
    return [_carried_out(engine, principal, each) for each in plan]


def _carried_out(engine: Engine, principal: Principal, each: Planned) -> Imported:
    job_id = each.job.id if each.job else None
    try:
        _check_permitted(engine, principal, each)
        if each.outcome == "conflict":
            raise Conflict("Several jobs have this name: none of them can be replaced by it.")
        if each.outcome == "created":
            job = service.create(engine, principal.tenant, each.definition, actor=principal.actor)
            return Imported(each, "created", job.id)
        if each.outcome == "replaced" and each.job:
            _replace(engine, principal, each.job.id, each.definition)
    except ChronosError as error:
        return Imported(each, "failed", job_id, error)
    return Imported(each, each.outcome, job_id)


def _replace(engine: Engine, principal: Principal, job_id: str, definition: JobDefinition) -> None:
    def change(job: Job, now_ms: int) -> Job:
        return changes.redefined(job, definition, now_ms)

    service.change(engine, principal.tenant, job_id, None, change, actor=principal.actor)
