"""The request of an attempt, as its job describes it. Pure but for the call's clock."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.trace import traceparent
from chalicelib.executors.base import Call
from chalicelib.executors.http.bodies import content, pairs_of
from chalicelib.executors.http.redirects import Request
from chalicelib.executors.http.signature import signed_headers
from chalicelib.executors.http.spec import Config


def request_of(call: Call) -> Request:
    """Without what authenticates it."""
    config: Config = call.config
    body, media_type = content(config.body, config.body_kind)
    ours = {
        "User-Agent": "Chronos/1",
        "Accept-Encoding": "identity",
        "Idempotency-Key": call.run_id,
        "X-Chronos-Run-Id": call.run_id,
        "X-Chronos-Job-Id": call.job_id,
        "X-Chronos-Attempt": str(call.attempt),
        "X-Chronos-Scheduled-At": rfc3339(call.nominal_ms),
        "traceparent": traceparent(call.run_id, call.attempt, call.trace),
    }
    if media_type:
        ours["Content-Type"] = media_type
    headers = {**config.headers, **_callback_headers(call)}
    if config.signature:
        signed = signed_headers(config.signature, call.run_id, call.clock.now_ms() // 1000, body or b"")
        headers = {name: value for name, value in headers.items() if name.lower() not in signed} | signed
    return Request(config.method, with_query(config.url, pairs_of(config.query)), headers, ours, body)


def with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    """The URL with these behind its own query."""
    if not pairs:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(pairs))))))


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
