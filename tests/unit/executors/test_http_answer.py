"""What is kept of an answer, and what it means."""

import base64
import json
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.executors.http.answer import judged, kept, retry_after
from chalicelib.executors.http.spec import Config

NOW_MS = 1_777_636_800_000  # Friday 2026-05-01 12:00:00 UTC


@pytest.mark.parametrize(
    ("body", "content_type", "expected", "why"),
    [
        (b"ok", "text/plain", "ok", "plain"),
        (b"", "", "", "empty"),
        ("grün".encode(), "text/plain", "grün", "UTF-8 unless it is said otherwise"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün", "as it says"),
        ("“grün”".encode("cp1252"), 'text/html; charset="windows-1252"', "“grün”", "quoted"),
        (b'{"a":1}\r\n\t', "application/json", '{"a":1}\r\n\t', "line breaks are text"),
    ],
)
def test_text_is_kept_as_text(body: bytes, content_type: str, expected: str, why: str) -> None:
    result = kept(200, {"content-type": content_type}, body, 100, 1)
    assert (result["body"], result["body_encoding"], result["truncated"]) == (expected, "text", False), why


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"\x89PNG\r\n", "image/png", "not UTF-8"),
        (b"a\x00b", "text/plain", "a null"),
        (b"\x1b[31mred", "text/plain", "terminal codes"),
        (b"gr\xfcn", "text/plain; charset=utf-8", "not what it says"),
        (b"xn--a\xff", "text/plain; charset=punycode", "a codec that costs more than it should is not used"),
        (b"\xff", "text/plain; charset=" + "x" * 1000, "no such charset"),
    ],
)
def test_bytes_that_are_no_text_are_kept_as_base64(body: bytes, content_type: str, why: str) -> None:
    result = kept(200, {"content-type": content_type}, body, 100, 1)
    assert result["body_encoding"] == "base64", why
    assert base64.b64decode(result["body"]) == body


def test_a_body_over_the_limit_is_cut_between_characters() -> None:
    result = kept(200, {}, "aäöü".encode(), 4, 1)
    assert (result["body"], result["truncated"]) == ("aä", True)


def test_a_body_at_the_limit_is_whole() -> None:
    result = kept(200, {}, b"12345", 5, 1)
    assert (result["body"], result["truncated"]) == ("12345", False)


def test_few_headers_are_kept_and_none_is_long() -> None:
    result = kept(200, {"etag": "x" * 1000, "set-cookie": "session=secret"}, b"", 5, 1)
    assert result["headers"] == {"etag": "x" * 256}


@pytest.mark.parametrize(
    "body", [b"\x00" * 9000, b'"' * 9000, b"\n" * 9000, "€".encode() * 3000, b"\xff" * 9000]
)
def test_the_result_is_bounded_whatever_the_body(body: bytes) -> None:
    assert len(json.dumps(kept(200, {}, body, 8192, 1), ensure_ascii=False).encode()) < 2 * 8192 + 4096


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "http_unexpected"),
        (304, "http_unexpected"),
        (400, "http_4xx"),
        (404, "http_4xx"),
        (408, "http_4xx"),
        (429, "http_429"),
        (499, "http_4xx"),
        (500, "http_5xx"),
        (503, "http_5xx"),
        (599, "http_5xx"),
        (600, "http_unexpected"),
        (999, "http_unexpected"),
    ],
)
def test_an_unexpected_status_fails_with_its_kind(status: int, kind: str) -> None:
    outcome = _judged(status)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.status) == (kind, status)
    assert outcome.result is not None


def _judged(status: int, headers: dict[str, str] | None = None, **fields: Any) -> Succeeded | Failed:
    config = Config.model_validate({"url": "http://example.com/"} | fields)
    return judged(config, headers or {}, {"status": status}, NOW_MS)


def test_a_success_that_was_not_expected_fails() -> None:
    assert _judged(200, expected_status=[204]) == Failed(
        "http_unexpected", "The server answered 200 OK; expected 204.", 200, None, {"status": 200}
    )


def test_an_error_that_was_expected_succeeds() -> None:
    assert _judged(404, expected_status=["2xx", 404]) == Succeeded({"status": 404})


def test_what_the_server_asks_for_is_passed_on() -> None:
    outcome = _judged(503, {"retry-after": "120"})
    assert isinstance(outcome, Failed)
    assert outcome.retry_after_seconds == 120


@pytest.mark.parametrize(
    ("value", "seconds", "why"),
    [
        ("0", 0, "now"),
        ("120", 120, "seconds"),
        (" 120 ", 120, "with spaces"),
        ("999999999", 604_800, "capped at a week"),
        ("Fri, 01 May 2026 12:02:00 GMT", 120, "a date"),
        ("Friday, 01-May-26 12:02:00 GMT", 120, "the old form of a date"),
        ("Fri, 01 May 2026 11:00:00 GMT", 0, "a date that is over"),
        ("Fri, 01 May 2099 12:00:00 GMT", 604_800, "a date far away"),
        ("Fri, 01 May 2026 12:02:00", None, "a date without a zone"),
        ("-5", None, "negative"),
        ("1.5", None, "no whole number"),
        ("1e9", None, "no plain number"),
        ("9" * 400, None, "no sensible number"),
        ("٣", None, "a digit, but not one of HTTP's"),
        ("soon", None, "no date"),
        ("Fri, 99 May 2026 12:02:00 GMT", None, "no such day"),
        ("Fri, 01 May 2026 12:02:00 +9999999999", None, "no such zone"),
        ("", None, "empty"),
        (None, None, "absent"),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None, why: str) -> None:
    assert retry_after(value, NOW_MS) == seconds, why
