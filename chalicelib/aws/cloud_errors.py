"""botocore's errors in jobs' own use of AWS, as CloudError: fit for the job's owner, whose role it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.aws.faults import PASSING
from chalicelib.ports.cloud import CloudError

MAX_MESSAGE = 400


@contextmanager
def cloud_errors(service: str, operation: str, denied: str | None = None) -> Iterator[None]:
    """Whatever botocore raises becomes a CloudError. `denied` is said where access is denied."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
    from botocore.exceptions import ConnectionError as ConnectionFailed

    what = f"{service} {operation}"
    try:
        yield
    except ClientError as error:
        raise _told(what, error.response, denied) from None
    except (HTTPClientError, ConnectionFailed) as error:
        raise _unheard(what, error) from None
    except ParamValidationError as error:
        raise CloudError(
            "bad_parameters", f"{what} does not take these parameters. {_places(error)}"
        ) from None
    except BotoCoreError as error:
        raise CloudError(type(error).__name__, f"{what} cannot be called: {error}"[:MAX_MESSAGE]) from None


def _told(what: str, response: Mapping[str, Any], denied: str | None) -> CloudError:
    said = response.get("Error", {})
    code, status = (
        str(said.get("Code") or "unknown"),
        response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
    )
    message = f"{what} answered {code}: {said.get('Message', '')}".rstrip(": ")
    if denied and code.startswith("AccessDenied"):
        message = denied
    is_passing = code in PASSING or (isinstance(status, int) and status >= 500)
    return CloudError(code, message[:MAX_MESSAGE], status=status, retryable=is_passing)


def _unheard(what: str, error: Exception) -> CloudError:
    name = type(error).__name__
    code = "timeout" if "Timeout" in name else "connection"
    return CloudError(code, f"{what} did not answer: {name}.", retryable=True)


def _places(error: Exception) -> str:
    """What is wrong with the parameters, without their values: those may be secret."""
    lines = str(error).splitlines()[1:]
    kept = (line.split(", value:")[0].split(", must be one of")[0] for line in lines)
    return " ".join(line.rstrip(".") + "." for line in kept)[:MAX_MESSAGE]
