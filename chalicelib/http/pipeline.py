"""One pipeline for every request: route, principal, path, query, body, handler, response."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.errors import ChronosError, FieldProblem, MethodNotAllowed, TooManyRequests
from chalicelib.domain.trace import parent_of
from chalicelib.engine.core import Engine
from chalicelib.features.base import Body, Origin, Request, Response, Route
from chalicelib.features.permitted import check
from chalicelib.features.replay import replayed
from chalicelib.features.validation import checked, refusal
from chalicelib.http.body import check_media_type, decode_object, decode_text, decode_yaml, is_yaml
from chalicelib.http.headers import for_origin, for_preflight, of_deprecation
from chalicelib.http.idempotency import checked_key, idempotency_key
from chalicelib.http.problems import problem_of, status_of, unexpected
from chalicelib.http.rate_limit import Buckets, Verdict
from chalicelib.http.recorded import recording_of
from chalicelib.http.table import RouteTable
from chalicelib.identity.access import Authenticate
from chalicelib.identity.principal import NOBODY, Principal
from chalicelib.identity.trail.book import Book
from chalicelib.identity.trail.recording import Recording

_LOG = logging.getLogger("chronos.http")
_MAX_TOLD = 200
"""Characters of what a request says of itself that are kept."""


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers and the pipeline work with.

    Pages of the `cors_origins` may use the API from a browser. Without `buckets` a key may ask as often as it likes.
    """

    engine: Engine
    authenticate: Authenticate
    cors_origins: tuple[str, ...] = ()
    buckets: Buckets | None = None
    book: Book = field(default_factory=Book)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came. Header names are in lower case; `route` is the path's template."""

    method: str
    route: str
    request_id: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    address: str = ""


class Pipeline:
    """Answers requests by a table of routes. `services` is asked at the first request, never at import."""

    def __init__(self, table: RouteTable, services: Callable[[], Services]) -> None:
        self._services = services
        self.table = table

    def allowed(self, path: str) -> str:
        """The value of Allow for a path of the table."""
        methods = set(self.table[path]) | {"OPTIONS"}
        return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))

    def answer(self, incoming: Incoming) -> Response:
        """Never raises: what a handler does not expect is logged, and answered with 500."""
        started = time.perf_counter()
        try:
            services = self._services()
            response = self._answered(incoming, services)
            services.engine.telemetry.info(
                "A request was answered.",
                method=incoming.method,
                route=incoming.route,
                status=response.status,
                request_id=incoming.request_id,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )
        except Exception as surprise:  # noqa: BLE001 - the one place where a fault of ours becomes an answer
            _LOG.error(
                "A request failed unexpectedly: %s", {"request_id": incoming.request_id, **_told(surprise)}
            )
            return unexpected(incoming.request_id)
        return response

    def _answered(self, incoming: Incoming, services: Services) -> Response:
        shared = for_origin(incoming.headers.get("origin"), services.cors_origins)
        if incoming.method == "OPTIONS":
            return Response(status=204, headers={**shared, **self._options(incoming, shared)})
        try:
            response = self._handled(incoming, services)
        except ChronosError as error:
            response = problem_of(error, incoming.request_id)
            if isinstance(error, MethodNotAllowed):
                response = _with(response, {"Allow": self.allowed(incoming.route)})
        response = _with(response, {**shared, **self._deprecation(incoming)})
        return replace(response, body=None) if incoming.method == "HEAD" else response

    def _options(self, incoming: Incoming, shared: Mapping[str, str]) -> dict[str, str]:
        allowed = self.allowed(incoming.route)
        is_preflight = "access-control-request-method" in incoming.headers
        return {"Allow": allowed} | (for_preflight(allowed) if is_preflight and len(shared) > 1 else {})

    def _deprecation(self, incoming: Incoming) -> dict[str, str]:
        route = self._known(incoming)
        return of_deprecation(route.deprecated, incoming.path) if route else {}

    def _handled(self, incoming: Incoming, services: Services) -> Response:
        route = self._route(incoming)
        principal = _principal(route, incoming, services)
        verdict, clock = _verdict(route, principal, services), services.engine.clock
        begun = clock.monotonic()
        told = verdict.headers(services.buckets.policy) if verdict and services.buckets else {}
        try:
            if verdict and not verdict.allowed:
                raise TooManyRequests("This key asks too often; Retry-After says when to go on.")
            return _with(self._recorded(route, principal, incoming, services), told)
        except ChronosError as error:
            return _with(problem_of(error, incoming.request_id), told)
        finally:
            clock.sleep(begun + route.level_ms / 1000 - clock.monotonic())

    def _recorded(
        self, route: Route, principal: Principal, incoming: Incoming, services: Services
    ) -> Response:
        """Carried out, and told to the audit trail, whatever becomes of it."""
        recording = recording_of(route, incoming.path, _origin(incoming), services.engine, services.book)
        try:
            if not route.public:
                check(services.engine, principal, route.rule, incoming.path)
            response = self._carried_out(route, principal, incoming, services.engine, recording)
        except ChronosError as error:
            recording.refused(principal, status_of(error), error.code)
            raise
        except Exception:
            recording.refused(principal, 500, "unexpected")
            raise
        recording.done(response.status)
        return response

    def _carried_out(
        self, route: Route, principal: Principal, incoming: Incoming, engine: Engine, recording: Recording
    ) -> Response:
        key = checked_key(incoming.headers.get("idempotency-key")) if route.method == "POST" else None
        query = _query(route, incoming.query)
        value = _decoded(route.body, incoming) if route.body else None
        known = idempotency_key(route.path, incoming.path, incoming.query, value, key) if key else None
        request = Request(
            principal,
            incoming.path,
            query,
            _parsed(route.body, value) if route.body and value is not None else None,
            incoming.headers.get("if-match") if route.conditional else None,
            known if route.once else None,
            _origin(incoming),
            incoming.headers.get("cookie", ""),
        )
        heard = replace(engine, witness=recording)

        def handled() -> Response:
            recording.begin(principal)
            return route.handler(heard, request)

        return replayed(engine, principal.tenant, known if route.replayed else None, handled)

    def _route(self, incoming: Incoming) -> Route:
        found = self._known(incoming)
        if found is None:
            raise MethodNotAllowed(
                f"{incoming.method[:16]} is not offered here: {self.allowed(incoming.route)} are."
            )
        return found

    def _known(self, incoming: Incoming) -> Route | None:
        return self.table[incoming.route].get("GET" if incoming.method == "HEAD" else incoming.method)


def _with(response: Response, headers: Mapping[str, str]) -> Response:
    """The response with these headers, unless it has its own."""
    return replace(response, headers={**headers, **response.headers})


def _principal(route: Route, incoming: Incoming, services: Services) -> Principal:
    if route.public:
        return NOBODY
    return services.authenticate(services.engine, incoming.headers.get("authorization"))


def _origin(incoming: Incoming) -> Origin:
    return Origin(
        incoming.request_id,
        parent_of(incoming.headers.get("traceparent")),
        incoming.address[:_MAX_TOLD],
        incoming.headers.get("user-agent", "")[:_MAX_TOLD],
    )


def _verdict(route: Route, principal: Principal, services: Services) -> Verdict | None:
    """What the key's bucket says; None where nothing is counted."""
    if route.public or services.buckets is None:
        return None
    key = f"{principal.tenant}#{principal.actor}"
    return services.buckets.take(key, services.engine.clock.monotonic())


def _query(route: Route, query: Mapping[str, list[str]]) -> Any:
    twice = [name for name, values in query.items() if len(values) > 1]
    if twice:
        raise refusal(
            [FieldProblem(f"/query/{name}", "This may be given once only.", "repeated") for name in twice]
        )
    return checked(route.query, {name: values[-1] for name, values in query.items() if values}, "/query")


def _decoded(accepted: Body, incoming: Incoming) -> Any:
    if not incoming.body and not accepted.required:
        return None
    check_media_type(incoming.headers.get("content-type"), accepted.media_types)
    if accepted.text:
        return decode_text(incoming.body)
    if is_yaml(incoming.headers.get("content-type")):
        return decode_yaml(incoming.body)
    return decode_object(incoming.body)


def _parsed(accepted: Body, value: Any) -> Any:
    if accepted.parse:
        return accepted.parse(value)
    return value if accepted.model is None else checked(accepted.model, value)


def _told(surprise: Exception) -> dict[str, Any]:
    """The class and the places, without the message, which may hold a secret, unless it is one of our own."""
    ours = type(surprise).__module__.startswith("chalicelib.")
    frames = traceback.extract_tb(surprise.__traceback__)
    places = [
        f"{frame.filename.replace(chr(92), '/').rpartition('/')[2]}:{frame.lineno}" for frame in frames[-8:]
    ]
    return {"error": type(surprise).__name__, "message": str(surprise) if ours else "", "at": places}
