"""`${{ name | filter('argument') }}` in the strings of a job's config. Nothing is executed. Pure.

Each string is read once, from left to right: what a template brings in is never read for templates again. `$${{`
stands for `${{` itself. A string that is one placeholder and nothing else takes the value's own type.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from chalicelib.domain.differences import pointer
from chalicelib.domain.template_filters import TemplateError, Value, applied, text_of

OPEN, CLOSE = "${{", "}}"
MAX_FILTERS = 8
MAX_BYTES = 262_144
"""So much may the strings with templates of one config come to, together."""

MIN_DIGITS = 6
"""Shorter numbers are no secrets by themselves."""

Store = Literal["secrets", "secretsmanager"]
_TAG = "job.tags."
_NAME = re.compile(r"\s*([^\s|'\"{}$()]{1,200})\s*")
_FILTER = re.compile(r"\|\s*([A-Za-z_]\w{0,39})\s*", re.ASCII)
_ARGUMENTS = re.compile(
    r"""\(\s*(?:(?:'([^'\\]{0,100})'|"([^"\\]{0,100})")\s*)?\)\s*""",
)
_SECRET = re.compile(
    r"(?P<store>secrets|secretsmanager)\.(?P<name>[A-Za-z0-9_-]{1,64})(?:\.(?P<field>[A-Za-z0-9_-]{1,64}))?"
)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by its name; with a `field`, that of the JSON object that it holds."""

    store: Store
    name: str
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.store}.{self.name}" + (f".{self.field}" if self.field else "")


def _no_secrets(ref: SecretRef) -> Value:
    raise TemplateError(f"{ref} cannot be read here")


@dataclass(frozen=True, slots=True)
class Facts:
    """What templates can name. `secret` gives a secret's value, or raises TemplateError.

    `window_start_ms` says where the run's window begins, which ends at its nominal time.
    """

    run_id: str
    nominal_ms: int
    scheduled_ms: int
    attempt: int
    trigger: str
    job_id: str
    job_name: str
    tenant: str
    tags: Mapping[str, str]
    window_start_ms: Callable[[], int]
    secret: Callable[[SecretRef], Value] = _no_secrets


NAMES: dict[str, Callable[[Facts], Value]] = {
    "run.id": lambda facts: facts.run_id,
    "run.nominal": lambda facts: _moment(facts.nominal_ms),
    "run.nominal_date": lambda facts: _moment(facts.nominal_ms).strftime("%Y-%m-%d"),
    "run.scheduled": lambda facts: _moment(facts.scheduled_ms),
    "run.window.start": lambda facts: _moment(facts.window_start_ms()),
    "run.window.end": lambda facts: _moment(facts.nominal_ms),
    "run.attempt": lambda facts: facts.attempt,
    "run.trigger": lambda facts: facts.trigger,
    "job.id": lambda facts: facts.job_id,
    "job.name": lambda facts: facts.job_name,
    "tenant": lambda facts: facts.tenant,
}
"""Beside these: `job.tags.<name>`, `secrets.<name>`, `secretsmanager.<name>`, and a field of either."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands between `${{` and `}}`. `secret` is set if it names one."""

    name: str
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    secret: SecretRef | None

    def value(self, facts: Facts) -> Value:
        """What it stands for. TemplateError if there is no such thing."""
        found = self._named(facts)
        for name, arguments in self.filters:
            found = applied(name, arguments, found)
        if found is None:
            raise TemplateError(f"the job has no tag {self.name.removeprefix(_TAG)!r}; add it, or a default")
        return found

    def _named(self, facts: Facts) -> Value | None:
        if self.secret is not None:
            return facts.secret(self.secret)
        if self.name.startswith(_TAG):
            return facts.tags.get(self.name.removeprefix(_TAG))
        if self.name not in NAMES:
            raise TemplateError(f"there is no {self.name[:80]!r}; known are {_known()}")
        return NAMES[self.name](facts)


Part = str | Placeholder


@dataclass(frozen=True, slots=True)
class Templated:
    """A string of a config that holds templates, and where it stands."""

    path: tuple[str | int, ...]
    parts: tuple[Part, ...]

    @property
    def pointer(self) -> str:
        """The path as a JSON pointer."""
        return pointer(self.path)

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        return tuple(each.secret for each in self.parts if isinstance(each, Placeholder) and each.secret)

    @property
    def is_one_secret(self) -> bool:
        """Whether it is a secret and nothing else, so that its type is not known before a run."""
        return len(self.parts) == 1 and bool(self.secrets)


class BadTemplate(TemplateError):
    """As TemplateError, of the string at `pointer`."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer, self.message = pointer, message


def parsed(text: str) -> tuple[Part, ...]:
    """Texts and placeholders, in their order. TemplateError if a `${{` is not followed by what may stand there."""
    parts: list[Part] = []
    plain: list[str] = []
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        if start > position and text[start - 1] == "$":
            plain += (text[position : start - 1], OPEN)
            position = start + len(OPEN)
            continue
        plain.append(text[position:start])
        placeholder, position = _placeholder(text, start + len(OPEN))
        parts += [each for each in ("".join(plain), placeholder) if each]
        plain = []
    plain.append(text[position:])
    return tuple(each for each in (*parts, "".join(plain)) if each) or ("",)


def has_templates(config: Any) -> bool:
    """Whether anything in it is to be filled in, or written otherwise."""
    if isinstance(config, str):
        return OPEN in config
    if isinstance(config, dict):
        return any(map(has_templates, config.values()))
    return isinstance(config, list) and any(map(has_templates, config))


def templates(config: Any) -> Iterator[Templated | BadTemplate]:
    """The strings with templates, in their order; an error for each that cannot be read."""
    for path, text in _strings(config, ()):
        if OPEN in text:
            try:
                yield Templated(path, parsed(text))
            except TemplateError as error:
                yield BadTemplate(pointer(path), str(error))


def rendered(config: Any, facts: Facts, sensitive: Callable[[str], object] = str) -> Any:
    """The config with its templates filled in; `sensitive` is told each text that a secret went into, if `is_telling`.

    BadTemplate for the first that cannot be filled in, or if all come to more than MAX_BYTES.
    """
    return _Renderer(facts, sensitive).value(config, ())


class _Renderer:
    def __init__(self, facts: Facts, sensitive: Callable[[str], object]) -> None:
        self._facts, self._sensitive, self._left = facts, sensitive, MAX_BYTES

    def value(self, value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict):
            return {name: self.value(each, (*path, name)) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, (*path, place)) for place, each in enumerate(value)]
        if not isinstance(value, str) or OPEN not in value:
            return value
        try:
            return self._text(value)
        except TemplateError as error:
            raise BadTemplate(pointer(path), str(error)) from None

    def _text(self, text: str) -> Any:
        parts = parsed(text)
        if len(parts) == 1 and isinstance(parts[0], Placeholder):
            found = self._of(parts[0])
            return text_of(found) if isinstance(found, datetime) else found
        return "".join(each if isinstance(each, str) else text_of(self._of(each)) for each in parts)

    def _of(self, placeholder: Placeholder) -> Value:
        found = placeholder.value(self._facts)
        written = text_of(found)
        self._left -= len(written.encode("utf-8", "surrogatepass"))
        if self._left < 0:
            raise TemplateError(f"what is filled in comes to more than {MAX_BYTES} bytes")
        if placeholder.secret is not None and is_telling(found):
            self._sensitive(written)
        return found


def is_telling(value: Value) -> bool:
    """Whether a secret's value is to be hidden: texts, and numbers of six digits or more; not a port, or `true`."""
    if isinstance(value, bool):
        return False
    return isinstance(value, str) or len(text_of(value)) >= MIN_DIGITS


def _placeholder(text: str, position: int) -> tuple[Placeholder, int]:
    """The placeholder that begins after `${{`, and where the text goes on."""
    name, position = _matched(_NAME, text, position, "a name such as run.nominal")
    filters: list[tuple[str, tuple[str, ...]]] = []
    while text.startswith("|", position):
        called, position = _matched(_FILTER, text, position, "a filter's name after |")
        arguments: tuple[str, ...] = ()
        if text.startswith("(", position):
            found = _ARGUMENTS.match(text, position)
            if found is None:
                raise TemplateError("expected one argument in quotes, of at most 100 characters without \\")
            position = found.end()
            arguments = tuple(each for each in found.groups() if each is not None)
        filters.append((called, arguments))
    if not text.startswith(CLOSE, position):
        raise TemplateError(
            f"expected }}}} after {name[:80]!r} and its filters; write $${{{{ for a plain ${{{{"
        )
    if len(filters) > MAX_FILTERS:
        raise TemplateError(f"at most {MAX_FILTERS} filters may follow each other")
    return Placeholder(name, tuple(filters), _secret(name)), position + len(CLOSE)


def _matched(pattern: re.Pattern[str], text: str, position: int, expected: str) -> tuple[str, int]:
    found = pattern.match(text, position)
    if found is None:
        raise TemplateError(f"expected {expected}; write $${{{{ for a plain ${{{{")
    return found[1], found.end()


def _secret(name: str) -> SecretRef | None:
    if name.partition(".")[0] not in ("secrets", "secretsmanager"):
        return None
    found = _SECRET.fullmatch(name)
    if found is None:
        raise TemplateError(
            f"{name[:80]!r} names no secret: expected secrets.name or secrets.name.field, "
            "of letters, digits, _ and -"
        )
    return SecretRef(found["store"], found["name"], found["field"])  # type: ignore[arg-type]  # as the pattern has it


def _strings(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _strings(each, (*path, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _strings(each, (*path, place))


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC) + timedelta(milliseconds=at_ms % 1000)


def _known() -> str:
    return ", ".join((*NAMES, "job.tags.<name>", "secrets.<name>", "secretsmanager.<name>"))
