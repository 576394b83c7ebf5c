"""How clients of other protocols than HTTP tell that a server refuses, or cannot be reached."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.domain.outcome import Failed
from chalicelib.executors.guard import ForbiddenTarget

MAX_TEXT = 200
"""Characters of what a server says that are shown."""


class Trouble(Exception):
    """A server refuses, or cannot be reached. `kind` is an error kind of RetryPolicy.

    The message is fit for the job's owner. `retryable`: whether another try may help, None if that is not known.
    """

    def __init__(self, kind: str, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.retryable = kind, message, retryable

    @property
    def failed(self) -> Failed:
        """The outcome of the attempt that met it."""
        return Failed(self.kind, self.message, retryable=self.retryable)


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """The failures that all networks have, as Trouble. TimeoutError and ForbiddenTarget stay what they are."""
    try:
        yield
    except (Trouble, TimeoutError, ForbiddenTarget):
        raise
    except ssl.SSLCertVerificationError as error:
        raise Trouble(
            "connection", f"The certificate of {where} is not good: {error.verify_message}."
        ) from error
    except ssl.SSLError as error:
        raise Trouble(
            "connection", f"No TLS with {where}: {shown(error.reason or 'it broke off')}."
        ) from error
    except (OSError, EOFError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "it broke off"
        raise Trouble("connection", f"No connection with {where}: {shown(told)}.") from error


def shown(text: Any) -> str:
    """What a server says, in one short line."""
    return " ".join(str(text).split())[:MAX_TEXT].rstrip(".")
