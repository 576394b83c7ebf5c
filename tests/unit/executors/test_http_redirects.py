"""Which redirects are followed, and what goes along."""

import pytest

from chalicelib.executors.http.redirects import Request, following

HEADERS = {
    "Authorization": "Bearer secret",
    "X-Api-Key": "secret",
    "Accept": "text/csv",
    "Content-Type": "text/xml",
}
OURS = {"User-Agent": "Chronos/1", "Idempotency-Key": "run_1", "Content-Type": "application/json"}


def _request(method: str = "POST", url: str = "https://example.com/a/b") -> Request:
    return Request(method, url, HEADERS, OURS, b"body")


@pytest.mark.parametrize(
    ("location", "target", "why"),
    [
        ("https://example.com/c", "https://example.com/c", "absolute"),
        ("/c?d=e", "https://example.com/c?d=e", "from the root"),
        ("c", "https://example.com/a/c", "relative"),
        ("//other.example/c", "https://other.example/c", "of the same scheme"),
        ("/c#part", "https://example.com/c", "a fragment stays here"),
        ("/gr\u00c3\u00bcn", "https://example.com/grün", "UTF-8 that came as Latin-1"),
    ],
)
def test_a_location_is_read_relative_to_the_request(location: str, target: str, why: str) -> None:
    followed = following(_request(), 307, location)
    assert followed is not None, why
    assert followed.url == target


@pytest.mark.parametrize(
    ("status", "location", "why"),
    [
        (200, "/c", "no redirect"),
        (300, "/c", "a choice, which is not ours"),
        (304, "/c", "not modified"),
        (305, "/c", "use proxy"),
        (302, None, "nowhere"),
        (302, "", "nowhere"),
        (302, "http://example.com/c", "from https down to http"),
        (302, "ftp://example.com/c", "another protocol"),
        (302, "file:///etc/passwd", "another protocol"),
        (302, "https://user:secret@example.com/", "credentials"),
        (302, "https://example.com/a b", "no URL"),
        (302, "https://[", "no URL"),
        (302, "/" + "a" * 9000, "too long"),
    ],
)
def test_some_redirects_are_not_followed(status: int, location: str | None, why: str) -> None:
    assert following(_request(), status, location) is None, why


@pytest.mark.parametrize(
    ("status", "method", "next_method", "body"),
    [
        (301, "POST", "GET", None),
        (302, "POST", "GET", None),
        (303, "PUT", "GET", None),
        (303, "HEAD", "HEAD", b"body"),
        (302, "GET", "GET", b"body"),
        (307, "POST", "POST", b"body"),
        (308, "DELETE", "DELETE", b"body"),
    ],
)
def test_the_status_decides_what_becomes_of_method_and_body(
    status: int, method: str, next_method: str, body: bytes | None
) -> None:
    followed = following(_request(method), status, "/c")
    assert followed is not None
    assert (followed.method, followed.body) == (next_method, body)


def test_a_get_made_of_a_post_names_no_content_type() -> None:
    followed = following(_request(), 303, "/c")
    assert followed is not None
    assert "Content-Type" not in followed.all_headers()


def test_the_same_origin_gets_the_jobs_headers() -> None:
    followed = following(_request(), 307, "https://EXAMPLE.com:443/c")
    assert followed is not None
    assert followed.headers == HEADERS


@pytest.mark.parametrize(
    "location", ["https://other.example/", "https://example.com:8443/", "https://sub.example.com/"]
)
def test_another_origin_gets_none_of_the_jobs_secrets(location: str) -> None:
    followed = following(_request(), 307, location)
    assert followed is not None
    assert followed.headers == {"Accept": "text/csv", "Content-Type": "text/xml"}


def test_the_job_may_replace_our_headers_in_any_case() -> None:
    request = Request(
        "GET", "http://example.com/", {"user-agent": "mine"}, {"User-Agent": "Chronos/1", "X": "1"}
    )
    assert request.all_headers() == {"X": "1", "user-agent": "mine"}
