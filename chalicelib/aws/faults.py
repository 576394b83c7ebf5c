"""botocore's errors, translated once: none leaves this package.

What may pass by itself is Unavailable; whether the call took effect is then unknown. What stays as it is however often
one asks (a right or a table is missing, the call is malformed) is Refused: a fault of ours, or of the deployment.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.domain.errors import Unavailable

CONTENDED = frozenset({"TransactionConflict", "TransactionConflictException"})
PASSING = CONTENDED | {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}


class Refused(Exception):
    """AWS refuses the call for good, and says why."""


class Contended(Unavailable):
    """Refused for now, with nothing done, in a way that the SDK does not try again.

    A transaction of somebody else is at the same items, or a transaction itself was throttled.
    """


def refusal(what: str, codes: Iterable[str], message: str) -> Unavailable | Refused:
    """The error for an answer with these error codes."""
    named = sorted(set(codes))
    told = ", ".join(named)
    if CONTENDED.issuperset(named):
        return Contended(f"{what} is busy with another transaction: {told}.")
    if not PASSING.isdisjoint(named):
        return Unavailable(f"{what} refused for now: {told}.")
    return Refused(f"{what} refused: {told}: {message}")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Time-outs, broken connections, throttling and garbled answers become Unavailable, all else Refused."""
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (HTTPClientError, ConnectionError, ResponseParserError) as error:
        raise Unavailable(f"{what} did not answer: {type(error).__name__}.") from error
    except ClientError as error:
        raise _judged(what, error.response) from error
    except BotoCoreError as error:
        raise Refused(f"{what} cannot be called: {error}") from error


def reasons(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Why a transaction was cancelled: those of its writes that were refused, each with its `Code`."""
    every = response.get("CancellationReasons", ())
    return [each for each in every if each.get("Code") not in (None, "None")]


def _judged(what: str, response: Mapping[str, Any]) -> Unavailable | Refused:
    error = response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    cancelled = {str(each["Code"]) for each in reasons(response)}
    if cancelled and cancelled <= PASSING:
        return Contended(f"{what} cancelled a transaction for now: {', '.join(sorted(cancelled))}.")
    if response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Unavailable(f"{what} failed: {code}.")
    return refusal(what, cancelled or [code], message)
