"""botocore's errors, translated once: what may pass by itself is Unavailable, the rest is a fault of ours and stays."""

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.domain.errors import Unavailable

PASSING = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ThrottlingError",
        "Throttling",
        "TooManyRequestsException",
        "RequestThrottled",
        "LimitExceededException",
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "TransactionInProgressException",
        "TransactionConflict",
        "TransactionConflictException",
    }
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Time-outs, refused connections and throttling become Unavailable; bugs and missing rights stay."""
    from botocore.exceptions import ClientError, HTTPClientError

    try:
        yield
    except HTTPClientError as error:
        raise Unavailable(f"{what} did not answer: {type(error).__name__}.") from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        if code in PASSING or status >= 500:
            raise Unavailable(f"{what} refused for now: {code}.") from error
        raise
