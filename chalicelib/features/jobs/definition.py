"""What clients send becomes a JobDefinition: in full, in the short form of the earlier system, or as a merge patch."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from chalicelib.domain.errors import FieldProblem, Invalid
from chalicelib.domain.job import JobDefinition
from chalicelib.domain.merge_patch import merged
from chalicelib.domain.templates import Facts
from chalicelib.executors import registry
from chalicelib.features.jobs.samples import sample_facts, sampled, samples_of, target_problems
from chalicelib.features.validation import problems_of, refusal

SHORT_TYPE = "ATLEAST_ONCE"
_CONFIG = "/config"


def definition_of(body: dict[str, Any]) -> JobDefinition:
    """The definition in a body of either form. Invalid, with all that is wrong with it at once."""
    if "api" in body:
        return _from_short_form(body)
    return validated(body)


def patched(definition: JobDefinition, patch: dict[str, Any]) -> JobDefinition:
    """The definition with a merge patch (RFC 7396) applied.

    A schedule of another kind, or the config of another type, starts afresh: its old fields would only be in the way.
    """
    before = definition.model_dump(mode="json", exclude_none=True)
    if _is_of_another_kind(before["schedule"], patch.get("schedule")):
        before["schedule"] = None
    if patch.get("type", definition.type) != definition.type:
        before["config"] = None
    return validated(merged(before, patch))


def _is_of_another_kind(before: Any, patch: Any) -> bool:
    if not isinstance(before, dict) or not isinstance(patch, dict):
        return False
    return bool(patch.get("kind", before["kind"]) != before["kind"])


def validated(body: dict[str, Any]) -> JobDefinition:
    """The definition in a body of the full form. Invalid, also by what the job's type wants as of today."""
    problems: list[FieldProblem] = []
    definition = None
    try:
        definition = JobDefinition.model_validate(body)
    except ValidationError as error:
        problems += problems_of(error, body)
    if isinstance(body.get("type"), str):
        sample = sample_facts(body.get("name"), body.get("tags"))
        problems += config_problems(body["type"], body.get("config", {}), sample)
        problems += _callback_problems(body["type"], body.get("callback"))
    if problems or definition is None:
        raise refusal(problems)
    return definition


def config_problems(type_: str, config: Any, sample: Facts) -> list[FieldProblem]:
    """What the job's type has to say about its config, with its templates filled in by `sample`."""
    spec = registry.spec(type_)
    if spec is None:
        known = ", ".join(registry.types())
        return [
            FieldProblem("/type", f"There is no job type {type_[:64]!r}. Known are: {known}.", "unknown_type")
        ]
    if not isinstance(config, dict):
        return []
    tried = [_model_problems(spec.config, config, each) for each in samples_of(config, sample)]
    return min(tried, key=len) or target_problems(config, sample, spec.target, _CONFIG)


def _model_problems(model: type[BaseModel], config: dict[str, Any], sample: Facts) -> list[FieldProblem]:
    filled = sampled(config, sample, _CONFIG)
    if filled.problems:
        return filled.problems
    try:
        model.model_validate(filled.config)
    except ValidationError as error:
        found = problems_of(error, filled.config, _CONFIG)
        return [each for each in found if each.pointer not in filled.unknown]
    return []


def _callback_problems(type_: str, callback: Any) -> list[FieldProblem]:
    spec = registry.spec(type_)
    if callback is None or spec is None or spec.calls_back:
        return []
    return [FieldProblem("/callback", f"A job of type {type_} cannot call back.", "not_offered")]


def _from_short_form(body: dict[str, Any]) -> JobDefinition:
    if body.get("type", SHORT_TYPE) != SHORT_TYPE:
        raise Invalid.field("/type", f"With `api`, the type is {SHORT_TYPE}.", "unknown_type")
    if "schedule" not in body:
        raise Invalid.field("/schedule", "This field is required.", "required")
    if "config" in body:
        raise Invalid.field("/config", "Give either `api`, or a `type` and its `config`.", "unknown_field")
    rest = {name: value for name, value in body.items() if name != "api"}
    config = {"url": body["api"], "method": "POST"}
    try:
        return validated({"name": _name_of(body["api"]), **rest, "type": "http", "config": config})
    except Invalid as error:
        raise refusal([_renamed(problem) for problem in error.problems]) from None


def _renamed(problem: FieldProblem) -> FieldProblem:
    pointer = "/api" if problem.pointer.startswith(_CONFIG) else problem.pointer
    return FieldProblem(pointer, problem.message, problem.code)


def _name_of(api: Any) -> str:
    """Host and path: what a person would call the job."""
    try:
        parts = urlsplit(str(api))
        name = f"{parts.hostname or ''}{parts.path}".strip().rstrip("/")
    except ValueError:
        name = ""
    return name[:128].strip() or "job"
