"""One request and its answer, within the time of the attempt; what can go wrong becomes a Failed."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import Call
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.http.redirects import Request
from chalicelib.executors.http.transport import Adapter
from chalicelib.ports.outputs import OutputTooLarge

_MAX_MESSAGE = 300
T = TypeVar("T")


def exchanged(
    call: Call, adapter: Adapter, request: Request, use: Callable[[requests.Response], T]
) -> T | Failed:
    """What `use` makes of the answer, whose body it may still read; then the connection is closed, or used again."""
    remaining = call.remaining()
    if remaining <= 0:
        return late(request)
    try:
        with adapter.exchange(_prepared(request), remaining) as response:
            return use(response)
    except ForbiddenTarget as refusal:
        return Failed("forbidden_target", str(refusal))
    except OutputTooLarge as error:
        return Failed("output", error.message, retryable=False)
    except Unavailable as error:
        return Failed("output", f"The answer could not be stored. {error.message}")
    except (requests.RequestException, HTTPError) as error:
        return late(request) if _is_timeout(error) else _broken(request, error)


def late(request: Request) -> Failed:
    """Its time was up."""
    return Failed("timeout", f"The exchange with {_host(request)} was not over when the time was up.")


def url_of(request: Request) -> str:
    """The URL as it is written on the wire."""
    return str(_prepared(request).url)


def _prepared(request: Request) -> requests.PreparedRequest:
    headers = request.all_headers()
    return requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()


def _broken(request: Request, error: Exception) -> Failed:
    message = f"The exchange with {_host(request)} broke off: {_chain(error)[-1]}"
    return Failed("connection", message[:_MAX_MESSAGE])


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc


def _is_timeout(error: Exception) -> bool:
    return any(isinstance(one, (TimeoutError, requests.Timeout, ReadTimeoutError)) for one in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what led to it, the first cause last."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
