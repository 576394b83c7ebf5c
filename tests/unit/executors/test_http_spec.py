"""What an http job may ask for, and what is refused when it is saved."""

from typing import Any

import pytest

from chalicelib.executors.http.spec import Config

URL = "https://example.com/hook"


def _config(**fields: Any) -> Config:
    return Config.model_validate({"url": URL} | fields)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com", "plain"),
        ("https://example.com:8443/a/b?c=d#e", "with everything"),
        ("http://127.0.0.1:8000/", "where it may go is the guard's question"),
        ("http://[::1]:8000/", "an IPv6 address"),
        ("https://bücher.example/ä?q=ü", "names and paths beyond ASCII"),
        ("https://example.com./", "a rooted name"),
        ("https://my_service.example/", "an underscore, as some names have"),
        ("http://2130706433/", "a number, which the guard will judge"),
        ("https://example.com/a@b", "an at sign in the path"),
        ("HTTPS://EXAMPLE.COM/", "in capitals"),
        ("https://example.com/?filter=a|b{c}", "characters that are encoded on the way"),
    ],
)
def test_a_url_that_can_be_called_passes(url: str, why: str) -> None:
    assert _config(url=url).url == url, why


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "another scheme"),
        ("file:///etc/passwd", "another scheme"),
        ("gopher://example.com/", "another scheme"),
        ("example.com", "no scheme"),
        ("//example.com/", "no scheme"),
        ("", "empty"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("http://:80/", "no host"),
        ("http://./", "no label"),
        ("http://a..b/", "an empty label"),
        ("http://" + "a" * 64 + ".example/", "a label that is too long"),
        ("http://" + "a." * 130 + "example/", "a name that is too long"),
        ("http://user@example.com/", "a user"),
        ("http://user:secret@example.com/", "credentials"),
        ("http://@example.com/", "empty credentials"),
        ("http://127。0。0。1/", "ideographic stops"),
        ("http://①②⑦.⓪.⓪.①/", "circled digits"),
        ("http://１２７.0.0.1/", "full-width digits"),
        ("http://ⓔxample.com/", "a letter that only looks like one"),
        ("http://%31%32%37.0.0.1/", "percent-encoded"),
        ("http://[fe80::1%25eth0]/", "a network interface of ours"),
        ("http://[::1", "an open bracket"),
        ("http://[127.0.0.1]/", "no IPv6 address"),
        ("http://exa$mple.com/", "a character that no name has"),
        ("http://example.com:0/", "port 0"),
        ("http://example.com:65536/", "no such port"),
        ("http://example.com:http/", "a port that is no number"),
        ("http://[::1/", "an open bracket"),
        ("http://exam ple.com/", "a space"),
        ("http://example.com/\r\nHost: x", "a line break"),
        ("http://example.com/\x00", "a null"),
        ("http://example.com\\@127.0.0.1/", "a backslash, which parsers read differently"),
        ('http://example.com/"', "a quote"),
        (" http://example.com/", "a space in front"),
        ("http://example.com／@127.0.0.1/", "a full-width slash, which becomes a plain one"),
        ("http://example.com/" + "a" * 8192, "too long"),
        ("http://example.com/" + "ä" * 4096, "too long in UTF-8"),
    ],
)
def test_a_url_that_cannot_be_called_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError):
        _config(url=url)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer abc", "X-Custom": "a b\tc", "Cookie": "a=b"},
        {"User-Agent": "mine", "Content-Type": "text/csv", "Idempotency-Key": "my own"},
        {"X-Empty": "", "X-Latin": "café"},
    ],
)
def test_headers_of_the_job_pass(headers: dict[str, str]) -> None:
    assert _config(headers=headers).headers == headers


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"X-A": "a\r\nX-B: b"}, "a second header"),
        ({"X-A": "a\nb"}, "a line feed"),
        ({"X-A": "a\rb"}, "a carriage return"),
        ({"X-A": "a\x00b"}, "a null"),
        ({"X-A": "a\x7fb"}, "a control character"),
        ({"X-A": " a"}, "a space in front"),
        ({"X-A": "a "}, "a space behind"),
        ({"X-A": "日本"}, "not Latin-1"),
        ({"": "a"}, "no name"),
        ({"X A": "a"}, "a space in the name"),
        ({"X-A:": "a"}, "a colon in the name"),
        ({"X-A\r\n": "a"}, "a line break in the name"),
        ({"X-Ä": "a"}, "a name beyond ASCII"),
        ({"A" * 129: "a"}, "a name that is too long"),
        ({"X-A": "1", "x-a": "2"}, "the same name twice"),
        ({"Host": "internal"}, "the host is the URL's"),
        ({"hOsT": "internal"}, "in any case"),
        ({"Content-Length": "1"}, "framing"),
        ({"Transfer-Encoding": "chunked"}, "framing"),
        ({"Connection": "X-Chronos-Run-Id"}, "hop by hop"),
        ({"Keep-Alive": "timeout=9"}, "hop by hop"),
        ({"TE": "trailers"}, "hop by hop"),
        ({"Trailer": "X"}, "hop by hop"),
        ({"Upgrade": "h2c"}, "hop by hop"),
        ({"HTTP2-Settings": "AAMAAABk"}, "an upgrade in disguise"),
        ({"Expect": "100-continue"}, "an exchange of its own"),
        ({"Proxy-Authorization": "Basic x"}, "for a proxy"),
        ({"Proxy-Connection": "keep-alive"}, "for a proxy"),
        ({"X-Chronos-Run-Id": "run_forged"}, "ours to say"),
        ({f"X-{number}": "a" for number in range(51)}, "too many"),
        ({f"X-{number}": "a" * 8000 for number in range(3)}, "too much"),
    ],
)
def test_headers_that_are_not_the_jobs_to_set_are_refused(headers: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError):
        _config(headers=headers)


@pytest.mark.parametrize(
    ("expected", "statuses", "others"),
    [
        (["2xx"], (200, 204, 299), (199, 301, 404, 500)),
        ([200, 404], (200, 404), (201, 400)),
        (["3XX", 201], (301, 308, 201), (200, 404)),
    ],
)
def test_expected_statuses_are_numbers_or_classes(expected: list[Any], statuses: Any, others: Any) -> None:
    config = _config(expected_status=expected)
    assert all(config.expects(status) for status in statuses)
    assert not any(config.expects(status) for status in others)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"method": "TRACE"}, "not among ours"),
        ({"method": "GET\r\n"}, "a line break"),
        ({"method": 5}, "no text"),
        ({"expected_status": []}, "nothing could succeed"),
        ({"expected_status": [99]}, "no such status"),
        ({"expected_status": ["9xx"]}, "no such class"),
        ({"expected_status": [100]}, "never the last answer"),
        ({"query": {"a": None}}, "no value"),
        ({"query": {"a": {"b": 1}}}, "nested"),
        ({"query": {"a": float("nan")}}, "not a number"),
        ({"query": {str(number): 1 for number in range(101)}}, "too many"),
        ({"body": "x" * 131_073}, "too large"),
        ({"verify": False}, "no such field"),
        ({"url": None}, "no URL"),
    ],
)
def test_other_fields_that_do_not_do_are_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError):
        _config(**fields)


def test_a_method_may_be_in_lower_case_and_is_post_by_default() -> None:
    assert (_config(method="get").method, _config().method) == ("GET", "POST")
