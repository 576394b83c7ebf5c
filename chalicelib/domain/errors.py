"""What can go wrong, as a user meets it. `http/problems.py` gives each class its status, once.

ChronosError
├── Malformed              the body is no JSON, or no object
├── MalformedHeader        a header that we read is not as it must be
├── Unauthorized           no key, or a wrong one
│   ├── BadCredentials     no user with this address and password
│   └── BadRefreshToken    it opens no session, or was used before
├── Forbidden              the key does not allow this
│   ├── RegistrationClosed nobody can register by themselves here
│   ├── QuotaExceeded      the tenant's plan allows no more of it
│   ├── FeatureNotInPlan   the tenant's plan does not have it
│   └── SignInRefused      the identity provider, or what its tenant says of it, does not let this person in
├── NotFound               no such thing, or another tenant's
├── MethodNotAllowed       the path exists, the method does not
├── Conflict               the thing is not in a state that allows this
│   ├── LastOwner          a tenant would have no owner
│   ├── ProviderFault      an identity provider says something that no sign-in can rely on
│   └── ShownOnce          a repeat cannot be told again what was told once
├── Gone                   what a callback speaks for is over
│   ├── CallbackExpired    the time of its token is over
│   ├── AttemptOver        its attempt has ended without it
│   ├── RunCancelled       its run is cancelled, or asked to stop
│   ├── SignInOver         a sign-in was finished, took too long, or began in another browser
│   └── InvitationOver     it was answered, taken back, or nobody who may stands behind it
├── PreconditionFailed     If-Match names another revision
├── PayloadTooLarge        the body is over the limit
├── UnsupportedMediaType   the body is of another type
├── Invalid                well-formed, but the values do not do: one FieldProblem a bad field
├── IdempotencyKeyReused   the key came with another request before
├── TooManyRequests        the caller goes too fast
│   └── TooManyAttempts    too many tries at a password, or for a mail
└── Unavailable            a part that we depend on did not answer
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One bad field: where (a JSON pointer, RFC 6901), what is wrong, and a stable code."""

    pointer: str
    message: str
    code: str = "invalid"


class ChronosError(Exception):
    """Anything that Chronos itself refuses. `code` is stable, the message is for a person."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Malformed(ChronosError):
    code = "malformed_body"


class MalformedHeader(ChronosError):
    code = "malformed_header"


class Unauthorized(ChronosError):
    code = "unauthorized"


class BadCredentials(Unauthorized):
    code = "bad_credentials"


class BadRefreshToken(Unauthorized):
    code = "bad_refresh_token"


class Forbidden(ChronosError):
    code = "forbidden"


class RegistrationClosed(Forbidden):
    code = "registration_closed"


class FeatureNotInPlan(Forbidden):
    code = "feature_not_in_plan"


class QuotaExceeded(Forbidden):
    """`limit` is what `plan` allows of `quota`. `resets_ms`: epoch milliseconds; None: until some are given back."""

    code = "quota_exceeded"

    def __init__(
        self,
        message: str,
        *,
        quota: Literal["jobs", "executions"],
        plan: str,
        limit: int,
        used: int,
        resets_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.quota, self.plan, self.limit, self.used, self.resets_ms = quota, plan, limit, used, resets_ms


class SignInRefused(Forbidden):
    """`code` tells why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotFound(ChronosError):
    code = "not_found"


class MethodNotAllowed(ChronosError):
    code = "method_not_allowed"


class Conflict(ChronosError):
    code = "conflict"


class LastOwner(Conflict):
    code = "last_owner"


class ProviderFault(Conflict):
    code = "provider_fault"


class ShownOnce(Conflict):
    code = "shown_once"


class Gone(ChronosError):
    code = "gone"


class CallbackExpired(Gone):
    code = "callback_expired"


class AttemptOver(Gone):
    code = "attempt_over"


class SignInOver(Gone):
    code = "sign_in_over"


class RunCancelled(Gone):
    code = "run_cancelled"


class InvitationOver(Gone):
    code = "invitation_over"


class PreconditionFailed(ChronosError):
    code = "precondition_failed"


class PayloadTooLarge(ChronosError):
    code = "payload_too_large"


class UnsupportedMediaType(ChronosError):
    code = "unsupported_media_type"


class IdempotencyKeyReused(ChronosError):
    code = "idempotency_key_reused"


class TooManyRequests(ChronosError):
    code = "too_many_requests"


class TooManyAttempts(TooManyRequests):
    """`retry_seconds`: when to go on."""

    code = "too_many_attempts"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Unavailable(ChronosError):
    code = "unavailable"


class Invalid(ChronosError):
    """Well-formed input whose values do not do."""

    code = "invalid"

    def __init__(self, message: str, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def field(cls, pointer: str, message: str, code: str = "invalid") -> "Invalid":
        """One bad field."""
        return cls("The request has an invalid field.", [FieldProblem(pointer, message, code)])
