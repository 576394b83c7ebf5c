"""Carries out `http` jobs: one request within the deadline, the answer captured up to a limit."""

from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.executors.base import Call
from chalicelib.executors.deadline import stopping_with
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.http.answer import judged, kept
from chalicelib.executors.http.redirects import MAX_REDIRECTS, Request, following
from chalicelib.executors.http.spec import Config, Scalar
from chalicelib.executors.http.transport import adapter

_MAX_MESSAGE = 300


def execute(call: Call) -> Outcome:
    config: Config = call.config
    started = call.clock.monotonic()
    with stopping_with(call.stop):
        return _exchange(call, _request(call), MAX_REDIRECTS if config.follow_redirects else 0, started)


def _exchange(call: Call, request: Request, redirects: int, started: float) -> Outcome:
    remaining = call.remaining()
    if remaining <= 0:
        return _late(request)
    try:
        with adapter(call.settings).exchange(_prepared(request), remaining) as response:
            next_request = following(request, response.status_code, response.headers.get("location"))
            if next_request is None or not redirects:
                return _answered(call, response, started)
    except ForbiddenTarget as refusal:
        return Failed("forbidden_target", str(refusal))
    except (requests.RequestException, HTTPError) as error:
        return _late(request) if _is_timeout(error) else _broken(request, error)
    return _exchange(call, next_request, redirects - 1, started)


def _request(call: Call) -> Request:
    config: Config = call.config
    body, media_type = config.content()
    ours = {
        "User-Agent": "Chronos/1",
        "Accept-Encoding": "identity",
        "Idempotency-Key": call.run_id,
        "X-Chronos-Run-Id": call.run_id,
        "X-Chronos-Job-Id": call.job_id,
        "X-Chronos-Attempt": str(call.attempt),
        "X-Chronos-Scheduled-At": rfc3339(call.nominal_ms),
    }
    if media_type:
        ours["Content-Type"] = media_type
    headers = {**config.headers, **_callback_headers(call)}
    return Request(config.method, _with_query(config), headers, ours, body)


def _callback_headers(call: Call) -> dict[str, str]:
    """Like the job's own headers, they do not follow a redirect to another origin."""
    if call.callback is None:
        return {}
    headers = {
        "X-Chronos-Callback-Url": call.callback.url,
        "X-Chronos-Callback-By": rfc3339(call.callback.by_ms),
    }
    if call.callback.heartbeat_ms is not None:
        headers["X-Chronos-Callback-Heartbeat-Seconds"] = str(call.callback.heartbeat_ms // 1000)
    return headers


def _with_query(config: Config) -> str:
    if not config.query:
        return config.url
    pairs = [
        (name, _written(one))
        for name, value in config.query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    parts = urlsplit(config.url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(pairs))))))


def _written(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _prepared(request: Request) -> requests.PreparedRequest:
    headers = request.all_headers()
    return requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()


def _answered(call: Call, response: requests.Response, started: float) -> Outcome:
    limit = call.settings.max_result_bytes
    body = _body(response, limit)
    duration_ms = round((call.clock.monotonic() - started) * 1000)
    result = kept(response.status_code, response.headers, body, limit, duration_ms)
    outcome = judged(call.config, response.headers, result, call.clock.now_ms())
    if call.callback is not None and isinstance(outcome, Succeeded):
        return Waiting(outcome.result)
    return outcome


def _body(response: requests.Response, limit: int) -> bytes:
    """The body, or a byte more than the limit, to know that there is more; then the connection is closed."""
    body = b""
    while len(body) <= limit:
        chunk: bytes = response.raw.read(limit + 1 - len(body), decode_content=False)
        if not chunk:
            break
        body += chunk
    return body


def _late(request: Request) -> Failed:
    return Failed("timeout", f"The exchange with {_host(request)} was not over when the time was up.")


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
