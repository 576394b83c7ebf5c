"""The `http` type: one request, and what counts as success."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.hosts import host_name
from chalicelib.executors.http.auth import Auth, SigV4, header_of
from chalicelib.executors.http.bodies import KINDS_DESCRIBED, BodyKind, Scalar, checked_body
from chalicelib.executors.http.checks import MAX_URL_BYTES, checked_headers, checked_url
from chalicelib.executors.http.conditions import MAX_CONDITIONS, Condition
from chalicelib.executors.http.signature import Signature
from chalicelib.executors.tls import TLS


def _upper(method: Any) -> Any:
    return method.upper() if isinstance(method, str) else method


def _lower(status: Any) -> Any:
    return status.lower() if isinstance(status, str) else status


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
Status = Annotated[
    Annotated[int, Field(ge=200, le=599)] | Annotated[str, Field(pattern="^[2-5]xx$")],
    BeforeValidator(_lower),
]


class Config(BaseModel):
    """The request that a run sends, and the answers that are a success."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    url: Annotated[str, AfterValidator(checked_url)] = Field(
        max_length=MAX_URL_BYTES,
        description="http or https, without credentials.",
        json_schema_extra={"format": "uri"},
    )
    method: Annotated[Method, BeforeValidator(_upper)] = "POST"
    headers: Annotated[dict[str, str], AfterValidator(checked_headers)] = Field(
        {}, description="Sent beside our own; they may replace User-Agent, Content-Type and Idempotency-Key."
    )
    query: dict[str, Scalar | Annotated[list[Scalar], Field(max_length=100)]] = Field(
        {}, max_length=100, description="Added to the URL's own query. A list repeats its name."
    )
    auth: Auth | None = Field(None, description="Who the job is. It is not told to another origin.")
    tls: TLS | None = Field(
        None,
        description="TLS of the job's own. Redirects to another origin are not followed then. Verification cannot be "
        "switched off.",
    )
    body_kind: BodyKind = Field("auto", description=KINDS_DESCRIBED)
    body: JsonValue = Field(None, description="See `body_kind`. null: none. At most 128 KB.")
    expected_status: Annotated[list[Status], Field(min_length=1, max_length=20)] = Field(
        ["2xx"], description="Statuses, or classes such as `2xx`, that are a success."
    )
    expect: list[Condition] = Field(
        [],
        max_length=MAX_CONDITIONS,
        description="What the body of an answer with such a status must hold. It is read up to 1 MB.",
    )
    follow_redirects: bool = Field(default=False, description="Follow at most 5, each checked again.")
    signature: Signature | None = Field(
        None, description="Sign the request as Standard Webhooks do: webhook-id, -timestamp and -signature."
    )
    store_answer: bool = Field(
        default=False, description="Keep the whole body of the answer as the run's file `answer`."
    )

    @field_validator("auth")
    @classmethod
    def _it_is_told_once(cls, auth: Auth | None, info: ValidationInfo) -> Auth | None:
        names = {name.lower() for name in info.data.get("headers", {})}
        if auth is not None and header_of(auth) in names:
            raise ValueError("sets a header that `headers` have already")
        return auth

    @field_validator("follow_redirects")
    @classmethod
    def _a_signature_is_for_one_address(cls, follow_redirects: bool, info: ValidationInfo) -> bool:
        if follow_redirects and isinstance(info.data.get("auth"), SigV4):
            raise ValueError("must be false with aws_sigv4, which signs for one address")
        return follow_redirects

    @field_validator("body")
    @classmethod
    def _body_fits_its_kind(cls, body: Any, info: ValidationInfo) -> Any:
        return checked_body(body, info.data.get("body_kind", "auto"))

    def expects(self, status: int) -> bool:
        """Whether an answer with this status is a success."""
        return status in self.expected_status or f"{status // 100}xx" in self.expected_status


def target(config: Mapping[str, Any]) -> str | None:
    """The URL's host."""
    try:
        return host_name(urlsplit(str(config.get("url", ""))).hostname or "")
    except ValueError:
        return None


SPEC = ExecutorSpec(
    target=target,
    type="http",
    config=Config,
    title="HTTP request",
    calls_back=True,
    description="Sends one request, and succeeds if the answer is as expected.",
    example={
        "url": "https://example.com/reports",
        "method": "POST",
        "headers": {"Accept": "application/json"},
        "body": {"report": "daily"},
    },
    permissions=(
        Permission(
            "With `aws_sigv4`: a role that the operator allows, which may do what the request asks for."
        ),
        Permission("To reach the URL: a public address, or one of the networks that the operator allows."),
    ),
    errors=(
        "connection",
        "http_4xx",
        "http_5xx",
        "http_429",
        "http_unexpected",
        "condition",
        "authentication",
        "cloud",
        "output",
        "forbidden_target",
    ),
    limits=(
        "128 KB of a request's body; 8 KB of an answer's are kept in the result.",
        "Conditions read an answer up to 1 MB.",
        "At most 5 redirects, each checked like the first address.",
    ),
    examples={
        "A report each night": {
            "name": "nightly-report",
            "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
            "config": {"url": "https://example.com/reports", "body": {"report": "daily"}},
            "retry": {"max_attempts": 5, "retry_on": ["http_5xx", "connection", "timeout"]},
            "timeout_seconds": 30,
        }
    },
)
