"""Twins of what a call is given: a place for files, a job's state, and AWS services that say what they are told to."""

import hashlib
import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.ports.cloud import CloudError, Unsigned
from chalicelib.ports.job_state import StateMoved
from chalicelib.ports.outputs import OutputTooLarge, StoredOutput
from chalicelib.ports.run_history import PastRun, WantedRuns

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class MemoryOutputs:
    """Files by their names. `failures` are raised by the next calls, each once."""

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self.files: dict[str, bytes] = {}
        self.media_types: dict[str, str] = {}
        self.failures: deque[Exception] = deque()
        self._max_bytes = max_bytes

    def store(self, name: str, chunks: Iterable[bytes], media_type: str) -> StoredOutput:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a file: {name!r}")
        if self.failures:
            raise self.failures.popleft()
        content = bytearray()
        for chunk in chunks:
            content += chunk
            if len(content) > self._max_bytes:
                raise OutputTooLarge(name, self._max_bytes)
        self.files[name], self.media_types[name] = bytes(content), media_type
        return StoredOutput(name, len(content), hashlib.sha256(content).hexdigest(), media_type)


class MemoryJobState:
    """A document and its version. `meanwhile` is done once before the next write: another attempt may write then."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.document: dict[str, Any] = document or {}
        self.version = 1 if document else 0
        self.failures: deque[Exception] = deque()
        self.meanwhile: Callable[[], Any] | None = None

    def read(self) -> tuple[dict[str, Any], int]:
        if self.failures:
            raise self.failures.popleft()
        copy: dict[str, Any] = json.loads(json.dumps(self.document))
        return copy, self.version

    def write(self, document: dict[str, Any], version: int) -> int:
        if self.failures:
            raise self.failures.popleft()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        if version != self.version:
            raise StateMoved
        self.document, self.version = json.loads(json.dumps(document, allow_nan=False)), version + 1
        return self.version


class MemoryRunHistory:
    """Pages of runs, whatever is wanted; `wanted` is what was. A page may be an exception."""

    def __init__(self, *pages: Sequence[PastRun] | Exception) -> None:
        self.wanted: list[WantedRuns] = []
        self._pages = pages

    def pages(self, wanted: WantedRuns) -> Iterator[Sequence[PastRun]]:
        self.wanted.append(wanted)
        for page in self._pages:
            if isinstance(page, Exception):
                raise page
            yield page


@dataclass(frozen=True)
class Asked:
    """One call of an AWS service."""

    service: str
    operation: str
    parameters: dict[str, Any]
    role_arn: str | None
    region: str | None


@dataclass
class ScriptedCloud:
    """AWS services that answer as told.

    `cloud.on("sqs", "send_message", {"MessageId": "1"})`: each call takes the next answer, the last one stays. An
    exception (CloudError) is raised, a function is called with the parameters. What was not told is a CloudError
    `not_scripted`. `refused`: what `client` itself raises, as when a role cannot be assumed.
    """

    asked: list[Asked] = field(default_factory=list)
    refused: CloudError | Unavailable | None = None
    _answers: dict[tuple[str, str], deque[Any]] = field(default_factory=lambda: defaultdict(deque))

    def on(self, service: str, operation: str, *answers: Any) -> "ScriptedCloud":
        self._answers[service, operation].extend(answers)
        return self

    def client(self, service: str, *, role_arn: str | None, region: str | None = None) -> Any:
        if self.refused:
            raise self.refused
        return _Client(self, service, role_arn, region)

    def signed(self, request: Unsigned, *, service: str, role_arn: str, region: str) -> dict[str, str]:
        if self.refused:
            raise self.refused
        signed: dict[str, str] = self.answer(Asked(service, "signed", {"request": request}, role_arn, region))
        return signed

    def answer(self, asked: Asked) -> Any:
        self.asked.append(asked)
        answers = self._answers[asked.service, asked.operation]
        if not answers:
            raise CloudError("not_scripted", f"Nobody said what {asked.service} {asked.operation} answers.")
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(**asked.parameters) if callable(answer) else answer

    @property
    def operations(self) -> list[str]:
        """What was called, in order."""
        return [each.operation for each in self.asked]


@dataclass(frozen=True)
class _Pages:
    """A paginator: what the operation answers is one page, or a list of them."""

    client: "_Client"
    operation: str

    def paginate(self, **parameters: Any) -> Iterator[Any]:
        pages = getattr(self.client, self.operation)(**parameters)
        yield from pages if isinstance(pages, list) else [pages]


@dataclass(frozen=True)
class _Client:
    cloud: ScriptedCloud
    service: str
    role_arn: str | None
    region: str | None

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self, operation)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            return self.cloud.answer(Asked(self.service, operation, parameters, self.role_arn, self.region))

        return call
