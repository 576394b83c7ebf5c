"""The templates of a config as it is saved: filled in by samples, so that its type can say what it thinks of it.

What a secret holds is not known here. A field that is a secret and nothing else is judged when a run uses it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from chalicelib.domain.errors import FieldProblem
from chalicelib.domain.templates import (
    BadTemplate,
    Facts,
    Placeholder,
    Templated,
    has_templates,
    rendered,
    templates,
)
from chalicelib.features.validation import MAX_PROBLEMS

_RUN, _JOB = "run_01KVB7TZ00F3Z9S8D0QX4Y1W2E", "job_01KVB7TYZ0A1B2C3D4E5F6G7H8"
_NOMINAL_MS, _WINDOW_MS = 1_777_636_800_000, 3_600_000
SECRETS = ("sample", "443")
"""What may stand for a secret: it is a part of a text, or of a number."""
_OTHERWISE = "https://otherwise.invalid/"
"""Another secret than the sample's: as a part of a URL, or as the whole of it, it leads elsewhere."""
_CODE = "invalid_template"


@dataclass(frozen=True, slots=True)
class Sampled:
    """`config` is filled in by samples. At `unknown` (JSON pointers) stands what nobody knows before a run."""

    config: Any
    problems: list[FieldProblem] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()


def sample_facts(name: Any, tags: Any) -> Facts:
    """A run of a job with this name and these tags, as far as they are what they should be. Its secrets are texts."""
    known = tags if isinstance(tags, Mapping) else {}
    return Facts(
        run_id=_RUN,
        nominal_ms=_NOMINAL_MS,
        scheduled_ms=_NOMINAL_MS,
        attempt=1,
        trigger="schedule",
        job_id=_JOB,
        job_name=name if isinstance(name, str) else "job",
        tenant="default",
        tags={key: value for key, value in known.items() if isinstance(value, str)},
        window_start_ms=lambda: _NOMINAL_MS - _WINDOW_MS,
        secret=lambda _ref: SECRETS[0],
    )


def samples_of(config: dict[str, Any], sample: Facts) -> list[Facts]:
    """The sample; if the config names secrets, with each of SECRETS in their place. One that fits is enough."""
    if not any(isinstance(each, Templated) and each.secrets for each in templates(config)):
        return [sample]
    return [_with_secret(sample, each) for each in SECRETS]


def _with_secret(sample: Facts, text: str) -> Facts:
    return replace(sample, secret=lambda _ref: text)


def sampled(config: dict[str, Any], sample: Facts, prefix: str) -> Sampled:
    """The config, filled in by the sample, or what is wrong with its templates; pointers begin with `prefix`."""
    if not has_templates(config):
        return Sampled(config)
    problems = list(islice(_problems(config, sample, prefix), MAX_PROBLEMS))
    if problems:
        return Sampled(config, problems)
    try:
        filled = rendered(config, sample)
    except BadTemplate as error:
        return Sampled(config, [_problem(error, prefix)])
    secrets = (each for each in templates(config) if isinstance(each, Templated) and each.is_one_secret)
    return Sampled(filled, unknown=frozenset(prefix + each.pointer for each in secrets))


def target_problems(
    config: dict[str, Any], sample: Facts, target: Callable[[Mapping[str, Any]], str | None], prefix: str
) -> list[FieldProblem]:
    """Where a run goes can be told before it starts: for limits, and for whoever reads the job."""
    moving = [each for each in templates(config) if isinstance(each, Templated) and _moves(each)]
    if not moving:
        return []
    other = replace(sample, secret=lambda _ref: _OTHERWISE, attempt=2)
    try:
        before, after = rendered(config, sample), rendered(config, other)
    except BadTemplate as error:
        return [_problem(error, prefix)]
    wanted = target(before)
    if target(after) == wanted:
        return []
    guilty = [each for each in moving[:MAX_PROBLEMS] if target(_moved(before, after, each.path)) != wanted]
    message = "Secrets and run.attempt cannot say where the run goes: write its host, or take it from a tag."
    return [FieldProblem(prefix + each.pointer, message, _CODE) for each in guilty or moving[:MAX_PROBLEMS]]


def _moved(before: Any, after: Any, path: tuple[str | int, ...]) -> Any:
    """`before`, but for what `after` has at the path."""
    if not path:
        return after
    part, rest = path[0], path[1:]
    if isinstance(before, dict):
        return {**before, part: _moved(before[part], after[part], rest)}
    return [_moved(each, after[at], rest) if at == part else each for at, each in enumerate(before)]


def _moves(templated: Templated) -> bool:
    """Whether it may be another at another attempt, or when a secret is changed."""
    placeholders = (each for each in templated.parts if isinstance(each, Placeholder))
    return any(each.secret is not None or each.name == "run.attempt" for each in placeholders)


def _problems(config: dict[str, Any], sample: Facts, prefix: str) -> Iterator[FieldProblem]:
    """One for each string that cannot be filled in by itself."""
    for each in templates(config):
        if isinstance(each, BadTemplate):
            yield _problem(each, prefix)
            continue
        for part in each.parts:
            try:
                _ = part if isinstance(part, str) else part.value(sample)
            except ValueError as error:
                yield _problem(BadTemplate(each.pointer, str(error)), prefix)
                break


def _problem(error: BadTemplate, prefix: str) -> FieldProblem:
    message = error.message[:1].upper() + error.message[1:]
    return FieldProblem(prefix + error.pointer, f"{message}.", _CODE)
