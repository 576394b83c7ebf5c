"""A client of botocore for one attempt: its calls end by the attempt's deadline, and its errors are CloudError.

Each call is made in a thread of its own, since botocore's cannot be broken off: who gives up leaves it behind, until it
ends by itself.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from chalicelib.aws.cloud_errors import cloud_errors
from chalicelib.ports.clock import Clock
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.stop import Stop

LOOK_SECONDS = 0.25
"""How often somebody who waits for an answer looks whether the attempt is to stop."""
CHUNK_BYTES = 65_536
T = TypeVar("T")


class GuardedClient:
    """The methods of a client of a service. Parameters and answers are botocore's, bodies are `GuardedBody`."""

    def __init__(self, client: Any, service: str, clock: Clock, deadline: float, stop: Stop) -> None:
        self._client, self._service = client, service
        self._clock, self._deadline, self._stop = clock, deadline, stop

    def over(self, make: Callable[[], Any]) -> "GuardedClient":
        """The same over a client that is made within the attempt's time."""
        self._client = self._in_time(make, "client")
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._client, name)
        if name in ("meta", "exceptions") or not callable(found):
            return found

        def call(**parameters: Any) -> Any:
            return self._guarded(self._in_time(lambda: self._called(found, parameters, name), name), name)

        return call

    def within(self, work: Callable[[], T], name: str) -> T:
        """What the work returns, within the attempt's time. CloudError."""
        return self._in_time(lambda: self._called(work, {}, name), name)

    def get_paginator(self, operation: str) -> "GuardedPages":
        """As botocore's: `paginate(**parameters)` gives the pages."""
        with cloud_errors(self._service, operation):
            return GuardedPages(self._client.get_paginator(operation), operation, self)

    def _called(self, method: Callable[..., T], parameters: dict[str, Any], name: str) -> T:
        with cloud_errors(self._service, name):
            return method(**parameters)

    def _guarded(self, answer: Any, name: str) -> Any:
        """The answer, whose bodies keep the deadline too."""
        if not isinstance(answer, dict):
            return answer
        return {
            key: GuardedBody(value, name, self) if hasattr(value, "iter_chunks") else value
            for key, value in answer.items()
        }

    def _in_time(self, work: Callable[[], T], name: str) -> T:
        """What the work returns or raises. CloudError `timeout` or `stopped` as soon as it is not wanted any more."""
        results: list[T] = []
        errors: list[BaseException] = []

        def attempt() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                errors.append(error)

        self._check(name)
        thread = threading.Thread(target=attempt, name=f"aws-{self._service}", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            if thread.is_alive():
                self._check(name)
        if errors:
            raise errors[0]
        return results[0]

    def _check(self, name: str) -> None:
        if self._stop.is_wanted:
            raise CloudError("stopped", f"{self._service} {name} was broken off: the attempt is to stop.")
        if self._clock.monotonic() >= self._deadline:
            raise CloudError("timeout", f"{self._service} {name} was not done within the attempt's time.")


class GuardedPages:
    """The pages of an operation."""

    def __init__(self, paginator: Any, operation: str, client: GuardedClient) -> None:
        self._paginator, self._operation, self._client = paginator, operation, client

    def paginate(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        pages = iter(self._client._called(self._paginator.paginate, parameters, self._operation))
        end = object()
        while True:
            page = self._client._in_time(lambda: self._next(pages, end), self._operation)
            if page is end:
                return
            yield page

    def _next(self, pages: Iterator[Any], end: object) -> Any:
        with cloud_errors(self._client._service, self._operation):
            return next(pages, end)


class GuardedBody:
    """A body that is read within the attempt's time."""

    def __init__(self, body: Any, operation: str, client: GuardedClient) -> None:
        self._body, self._operation, self._client = body, operation, client

    def read(self, amt: int | None = None) -> bytes:
        """So many bytes at most, all that is left if None; none at the end."""
        return self._client._in_time(lambda: self._read(amt), self._operation)

    def iter_chunks(self, chunk_size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """What is left, bit by bit."""
        while chunk := self.read(chunk_size):
            yield chunk

    def close(self) -> None:
        self._body.close()

    def _read(self, amt: int | None) -> bytes:
        with cloud_errors(self._client._service, self._operation):
            content: bytes = self._body.read(amt)
            return content
