"""The AWS services that jobs use, as roles that their owners name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.domain.errors import Unavailable


class CloudError(Exception):
    """AWS refuses, or does not answer. `code` is AWS's own (`NoSuchKey`), or `timeout` or `connection`.

    The message is fit for the job's owner. `retryable`: whether another try may help, as AWS sees it.
    """

    def __init__(
        self, code: str, message: str, *, status: int | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.retryable = code, message, status, retryable


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An HTTP request as it will be sent; `headers` are those to be covered by the signature beside Host."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Cloud(Protocol):
    """Of one attempt: its tenant is known."""

    def client(self, service: str, *, role_arn: str | None, region: str | None = None) -> Any:
        """A client of a service (`s3`), with botocore's methods; they raise CloudError and nothing of botocore's.

        It acts as the role, which its owner lets Chronos assume with the tenant as external id. CloudError if the role
        cannot be assumed: `role_required` for None, `not_allowed` for one that the operator has not let in.
        Calls end by the attempt's deadline (`timeout`) or when it is to stop (`stopped`). `get_paginator` works as
        botocore's; bodies have `read(amt)`, `iter_chunks(size)` and `close()`.
        """
        ...

    def signed(self, request: Unsigned, *, service: str, role_arn: str, region: str) -> dict[str, str]:
        """The headers that sign the request for a service of AWS by Signature Version 4, as the role, for 5 minutes.

        CloudError as of `client`.
        """
        ...


class NoCloud:
    """A deployment whose jobs use no AWS services."""

    def client(self, service: str, *, role_arn: str | None, region: str | None = None) -> Any:  # noqa: ARG002
        raise Unavailable("Jobs use no AWS services in this deployment.")

    def signed(self, request: Unsigned, *, service: str, role_arn: str, region: str) -> dict[str, str]:  # noqa: ARG002
        raise Unavailable("Jobs use no AWS services in this deployment.")
