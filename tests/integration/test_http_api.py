"""What holds for every route: bodies, parameters, methods, keys, cursors, and that bad input is never our fault."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.running.signing import callback_url
from chalicelib.http.docs import routes, table
from chalicelib.http.pipeline import Services
from chalicelib.identity.access import authenticate
from chalicelib.identity.bootstrap import add_key
from tests.support.api import HTTP_JOB, ApiClient, document
from tests.support.world import NOON

TRIGGERED = "/jobs/job_" + "0" * 26
BIG = json.dumps({**HTTP_JOB, "description": "x" * 300_000}).encode()

MALFORMED: list[tuple[bytes, int, str]] = [
    (b"{", 400, "cut off"),
    (b"[]", 400, "an array"),
    (b'"text"', 400, "a string"),
    (b"null", 400, "null"),
    (b"{}{}", 400, "two"),
    (b'{"name": NaN}', 400, "NaN"),
    (b'{"name": -Infinity}', 400, "infinity"),
    (b'{"timeout_seconds": 1e999}', 400, "beyond a double"),
    (b'{"timeout_seconds": ' + b"9" * 5000 + b"}", 400, "a number of 5,000 digits"),
    (b'{"timeout_seconds": 99999999999999999999}', 400, "over 64 bits"),
    (b'{"name": "a", "name": "b"}', 400, "a name twice"),
    (b'{"name": "\\ud800"}', 400, "half a surrogate pair"),
    (b'{"\\udc00": 1}', 400, "half a surrogate pair in a name"),
    (b'{"name": "\xff"}', 400, "not UTF-8"),
    (b"\xef\xbb\xbf{}", 400, "a byte order mark"),
    (b'{"config": ' + b"[" * 100 + b"]" * 100 + b"}", 400, "100 levels deep"),
    (b'{"config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "100,000 levels deep"),
    (b'{"a":' * 50_000, 400, "50,000 objects that never end"),
    (BIG, 413, "300 KB"),
]


@pytest.mark.parametrize(("body", "status", "reason"), MALFORMED, ids=[row[2] for row in MALFORMED])
def test_a_body_that_is_no_decent_json_object_is_refused(
    api: ApiClient, body: bytes, status: int, reason: str
) -> None:
    assert api.post("/jobs", body).status == status, reason


def test_a_large_body_below_the_limit_is_read(api: ApiClient) -> None:
    body = {**HTTP_JOB, "config": {**HTTP_JOB["config"], "body": "x" * 100_000}}
    assert api.post("/jobs", body).status == 201


@pytest.mark.parametrize(
    ("media_type", "accepted"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('APPLICATION/JSON;charset="UTF-8"', True),
        ("application/json; charset=latin-1", False),
        ("application/x-www-form-urlencoded", False),
        ("text/plain", False),
        ("application/merge-patch+json", False),
        ("application/jsonx", False),
        ("*/*", False),
        ("", False),
        (None, False),
    ],
)
def test_only_json_is_accepted(api: ApiClient, media_type: str | None, *, accepted: bool) -> None:
    answer = api.post("/jobs", HTTP_JOB, media_type=media_type)
    assert answer.status == (201 if accepted else 415)


@pytest.mark.parametrize(
    ("path", "pointer", "code"),
    [
        ("/jobs?limit=0", "/query/limit", "greater_than_equal"),
        ("/jobs?limit=101", "/query/limit", "less_than_equal"),
        ("/jobs?limit=many", "/query/limit", "int_parsing"),
        ("/jobs?limit=1&limit=2", "/query/limit", "repeated"),
        ("/jobs?color=red", "/query/color", "unknown_field"),
        ("/jobs?status=asleep", "/query/status", "unknown_value"),
        ("/runs?status=DONE", "/query/status", "invalid"),
        ("/runs?status=", "/query/status", "invalid"),
        ("/runs?trigger=wind", "/query/trigger", "invalid"),
        ("/runs?trigger=manual,", "/query/trigger", "invalid"),
        ("/runs?job=nightly", "/query/job", "string_pattern_mismatch"),
        ("/runs?error_kind=timeout,bad_luck", "/query/error_kind", "invalid"),
        ("/runs?from=yesterday", "/query/from", "moment"),
        ("/runs?to=2027-01-15T12:00:00", "/query/to", "moment_without_offset"),
        ("/runs?from=2027-01-15T12:00:00Z&to=2027-01-15T12:00:00Z", "/query/to", "end_before_start"),
        ("/runs?sort=started_at", "/query/sort", "unknown_value"),
        (f"{TRIGGERED}/runs?job=job_00000000000000000000000000", "/query/job", "unknown_field"),
        ("/health?verbose=1", "/query/verbose", "unknown_field"),
        ("/dead-letters?color=red", "/query/color", "unknown_field"),
        (f"{TRIGGERED}/upcoming?count=101", "/query/count", "less_than_equal"),
    ],
)
def test_a_bad_parameter_is_named(api: ApiClient, path: str, pointer: str, code: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.pointers) == (422, {pointer: code})


@pytest.fixture
def cursor(api: ApiClient) -> str:
    api.create()
    api.create()
    found: str = api.get("/jobs?limit=1").json["next_cursor"]
    return found


def test_a_cursor_leads_on_with_another_page_size(api: ApiClient, cursor: str) -> None:
    assert len(api.get(f"/jobs?limit=9&cursor={cursor}").json["items"]) == 1


@pytest.mark.parametrize(
    "path", ["/jobs?status=active", "/runs?", "/executions?", "/dead-letters?", f"{TRIGGERED}/runs?"]
)
def test_a_cursor_serves_its_own_list_with_its_own_filters_only(
    api: ApiClient, cursor: str, path: str
) -> None:
    answer = api.get(f"{path}&cursor={cursor}".replace("?&", "?"))
    assert (answer.status, answer.pointers) == (422, {"/query/cursor": "bad_cursor"})


@pytest.mark.parametrize(
    "made_up",
    [
        "",
        "x",
        "====",
        "%00",
        "bnVsbA",
        "W10",
        "WzFd",
        "e30",
        "WzEsIngiLCJqb2JfMDAiXQ",
        "%C3%BC",
        "A" * 512,
        "W" * 300,
    ],
)
def test_a_made_up_cursor_is_refused(api: ApiClient, made_up: str) -> None:
    answer = api.get(f"/jobs?cursor={made_up}")
    assert (answer.status, answer.pointers) == (422, {"/query/cursor": "bad_cursor"})


def test_a_cursor_with_a_letter_changed_is_refused(api: ApiClient, cursor: str) -> None:
    changed = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :] for place in range(30)
    ]
    assert {api.get(f"/jobs?cursor={each}").status for each in changed} == {422}


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/jobs", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/health", "GET, HEAD, OPTIONS"),
        ("GET", f"{TRIGGERED}/trigger", "OPTIONS, POST"),
        ("HEAD", f"{TRIGGERED}/trigger", "OPTIONS, POST"),
    ],
)
def test_a_method_that_a_path_does_not_offer_is_refused_with_those_that_it_does(
    api: ApiClient, method: str, path: str, allow: str
) -> None:
    answer = api(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allow)


def test_options_tells_the_methods(api: ApiClient) -> None:
    answer = api("OPTIONS", "/jobs")
    assert (answer.status, answer.headers["Allow"], answer.text) == (204, "GET, HEAD, OPTIONS, POST", "")


def test_head_is_get_without_a_body(api: ApiClient) -> None:
    job_id = api.create()["id"]
    answer = api("HEAD", f"/jobs/{job_id}")
    assert (answer.status, answer.headers["ETag"], answer.text) == (200, '"1"', "")
    assert api("HEAD", "/jobs/nonsense").status == 404


class TestWithAKey:
    """Who asks must have a key of some tenant."""

    @pytest.fixture
    def key(self, engine: Engine) -> str:
        return add_key(engine.db, engine.clock, engine.ids, "local")

    @pytest.fixture
    def api(self, engine: Engine) -> ApiClient:
        return ApiClient(engine, authenticate)

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
    def test_the_key_opens(self, api: ApiClient, key: str, scheme: str) -> None:
        assert api.get("/jobs", headers={"Authorization": f"{scheme} {key}"}).status == 200

    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            "Basic KEY",
            "KEY",
            "Bearer KEYx",
            "Bearer \u00fc\ud800",
        ],
    )
    def test_anything_else_does_not(self, api: ApiClient, key: str, authorization: str | None) -> None:
        sent = {} if authorization is None else {"Authorization": authorization.replace("KEY", key)}
        answer = api.get("/jobs", headers=sent)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_every_route_asks_for_it_but_those_that_are_public(self, api: ApiClient) -> None:
        for route in routes():
            answer = api(route.method, route.path.replace("{name}", "start.js"), {})
            assert (answer.status == 401) is not route.public, route

    def test_health_and_the_documents_are_public_and_others_have_credentials_of_their_own(self) -> None:
        public = {route.path for route in routes() if route.public}
        signing_in = {path for path in public if path.startswith(("/auth/", "/invitations/"))}
        assert public - signing_in == {
            *(f"/callbacks/{{token}}/{name}" for name in ("success", "failure", "heartbeat", "progress")),
            "/.well-known/jwks.json",
            "/health",
            "/job-types",
            "/job-types/{type}",
            "/openapi.json",
            "/docs",
            "/docs/{name}",
        }


NASTY: list[bytes] = [
    b"",
    b"{}",
    b"{",
    b"[1]",
    b"\x00",
    b"\xff\xfe",
    b'{"\\u0000": "\\u0000"}',
    b'{"__proto__": {"x": 1}, "constructor": 1}',
    b'{"schedule": {"kind": {"kind": {}}}}',
    b'{"schedule": [], "from": 1, "count": "x"}',
    b'{"schedule": "' + b"*/1," * 20_000 + b'"}',
    b'{"schedule": "* * * * *", "from": "9999-12-31T23:59:59Z", "count": 100}',
    b'{"schedule": {"kind": "interval", "every": 1e308}}',
    b'{"schedule": {"kind": "interval", "every": "P99999999999D"}, "from": "2199-01-01T00:00:00Z"}',
    b'{"schedule": {"kind": "cron", "expression": "0 0 29 2 *", "timezone": "../../etc/passwd"}}',
    b'{"schedule": {"kind": "once", "at": "0001-01-01T00:00:00+23:59"}}',
    b'{"schedule": "* * * * *", "api": {"$ne": null}, "type": "ATLEAST_ONCE"}',
    b'{"schedule": "* * * * *", "api": "http://[::1", "type": "ATLEAST_ONCE"}',
    b'{"schedule": "* * * * *", "api": "https://\\u0130.example/", "type": "ATLEAST_ONCE"}',
    b'{"name": "x", "type": "../http", "config": {"url": "https://example.com:99999/"}}',
    b'{"name": "x", "type": "http", "config": {"url": "https://example.com", "headers": {"a\\nb": "c\\r\\nd"}}}',
    b'{"name": "x", "type": "__init__"}',
    b'{"name": "x", "type": "dummy", "tags": {"' + b"k" * 5000 + b'": null}}',
    b'{"name": "x", "type": "dummy", "retry": {"max_attempts": 1e2, "retry_on": [[]]}}',
    b'{"name": "x", "type": "dummy", "config": {"output": ' + b"[" * 60 + b"]" * 60 + b"}}",
    b'{"name": null, "type": null, "config": null, "schedule": null, "retry": null, "tags": null}',
    b'{"config": {"url": {"url": []}}, "timeout_seconds": -0.0, "misfire": {"limit": true}}',
]


@pytest.mark.parametrize("body", NASTY, ids=[str(place) for place in range(len(NASTY))])
def test_no_body_on_any_route_is_answered_with_a_fault_of_ours(api: ApiClient, body: bytes) -> None:
    job_id = api.create()["id"]
    for route in routes():
        path = (
            route.path.replace("{job_id}", job_id)
            .replace("{run_id}", "run_" + "0" * 26)
            .replace("{name}", "x")
        )
        media_type = route.body.media_types[0] if route.body else "application/json"
        answer = api(route.method, path, body, media_type=media_type)
        assert answer.status < 500, (route.method, path, answer.text)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '\x7f, ,,"""' * 50}, 412),
        ({"If-Match": '"' + "9" * 5000 + '"'}, 412),
        ({"If-Match": "*"}, 200),
        ({"X-Request-Id": "forged"}, 200),
    ],
)
def test_no_header_is_answered_with_a_fault_of_ours(
    api: ApiClient, headers: dict[str, str], status: int
) -> None:
    url = f"/jobs/{api.create()['id']}/pause"
    answer = api.post(url, headers=headers)
    assert answer.status == status
    assert answer.headers["X-Request-Id"] != "forged"


PREVIEWS: list[tuple[dict[str, Any], list[str], list[str], str]] = [
    (
        {
            "schedule": {"kind": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"},
            "from": "2027-03-27T00:00:00Z",
            "count": 3,
        },
        ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"],
        ["2027-03-27T02:30:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"],
        "the hour that spring leaves out",
    ),
    (
        {"schedule": "0 0 1 1 *", "from": "2027-01-01T00:00:00Z", "count": 1},
        ["2027-01-01T00:00:00Z"],
        ["2027-01-01T00:00:00+00:00"],
        "from is included",
    ),
    (
        {
            "schedule": {"kind": "interval", "every": "PT30M", "anchor": "2027-01-01T00:00:00.250Z"},
            "count": 1,
        },
        ["2027-01-15T12:00:00.250Z"],
        ["2027-01-15T12:00:00.250+00:00"],
        "milliseconds",
    ),
    ({"schedule": {"kind": "manual"}}, [], [], "none"),
]


@pytest.mark.parametrize(("body", "utc", "local", "reason"), PREVIEWS, ids=[row[3] for row in PREVIEWS])
def test_a_preview_shows_occurrences_in_utc_and_by_the_local_clock(
    api: ApiClient, body: dict[str, Any], utc: list[str], local: list[str], reason: str
) -> None:
    answer = api.post("/schedules/preview", body)
    assert (answer.status, answer.json["occurrences"], answer.json["local"]) == (200, utc, local), reason


def test_a_preview_says_it_in_words_with_warnings(api: ApiClient) -> None:
    shown = api.post("/schedules/preview", {"schedule": "0 9 13 * FRI"}).json
    assert "09:00" in shown["words"]
    assert [warning["code"] for warning in shown["warnings"]] == ["day_rule"]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"/schedule": "required"}),
        ({"schedule": "0 0 31 4 *"}, {"/schedule": "never_fires"}),
        ({"schedule": "* * * * *", "count": 101}, {"/count": "less_than_equal"}),
        ({"schedule": "* * * * *", "from": "tomorrow"}, {"/from": "moment"}),
        ({"schedule": "* * * * *", "from": "2027-01-01T00:00:00"}, {"/from": "moment_without_offset"}),
        ({"schedule": "* * * * *", "until": "2027-01-01T00:00:00Z"}, {"/until": "unknown_field"}),
    ],
)
def test_a_bad_preview_is_refused_by_field(
    api: ApiClient, body: dict[str, Any], problems: dict[str, str]
) -> None:
    answer = api.post("/schedules/preview", body)
    assert (answer.status, answer.pointers) == (422, problems)


def test_the_document_is_valid_openapi_and_describes_every_route(api: ApiClient) -> None:
    from openapi_spec_validator import validate

    answer = api.get("/openapi.json")
    assert answer.json == document()
    validate(document())
    described = {
        (method.upper(), path) for path, methods in document()["paths"].items() for method in methods
    }
    assert described == {(route.method, route.path) for route in routes()}


def test_the_examples_of_callbacks_are_accepted(
    api: ApiClient, engine: Engine, kept: Callable[[Run], Run]
) -> None:
    job_id = api.create()["id"]
    for route in routes():
        if not route.path.startswith("/callbacks/") or route.body is None:
            continue
        for example in route.body.examples.values():
            token = _token_of_one_that_waits(engine, kept, job_id, route.path)
            answer = api(route.method, route.path.replace("{token}", token), example)
            assert answer.status < 300, (route.path, answer.text)


def _token_of_one_that_waits(engine: Engine, kept: Callable[[Run], Run], job_id: str, key: str) -> str:
    run = kept(
        Run(
            run_id(job_id, NOON, key),
            "local",
            job_id,
            RunStatus.WAITING,
            "manual",
            NOON,
            NOON,
            1,
            attempt=1,
            callback_by_ms=NOON + 60_000,
        )
    )
    return callback_url(engine.secrets, run).rpartition("/")[2]


def test_the_page_that_shows_the_document_needs_nothing_from_elsewhere(api: ApiClient) -> None:
    page = api.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "//" not in page.text.replace("<!doctype html>", "")
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "icon.svg"):
        assert api.get(f"/docs/{name}").status == 200, name
    assert api.get("/docs/README.md").status == 404
    assert api.get("/docs/..%2Findex.html").status == 404


ODD_EVENTS: list[tuple[Any, int]] = [
    (None, 400),
    ([], 400),
    ({}, 400),
    ({"requestContext": None}, 400),
    ({"requestContext": {}}, 404),
    ({"requestContext": {"resourcePath": "/nowhere", "httpMethod": "GET"}}, 404),
    ({"requestContext": {"resourcePath": ["/jobs"], "httpMethod": "GET"}}, 404),
    ({"requestContext": {"resourcePath": "/jobs", "httpMethod": "TRACE"}}, 405),
    ({"requestContext": {"resourcePath": "/jobs", "httpMethod": "GET"}}, 200),
    ({"requestContext": {"resourcePath": "/jobs", "httpMethod": "POST"}, "body": 7}, 400),
    (
        {
            "requestContext": {"resourcePath": "/jobs", "httpMethod": "POST"},
            "body": "!",
            "isBase64Encoded": True,
        },
        400,
    ),
]


@pytest.mark.parametrize(("event", "status"), ODD_EVENTS)
def test_an_odd_event_gets_a_problem_document_too(api: ApiClient, event: Any, status: int) -> None:
    answer = api.app(event, None)
    assert answer["statusCode"] == status
    assert answer["headers"]["X-Request-Id"]


def test_a_fault_of_ours_is_a_problem_document_without_details(
    api: ApiClient, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = api.create()["id"]
    engine.db.catalog.put_all([{"pk": f"local#{job_id}", "sk": "job", "doc": '{"secret": "hunter2"}'}])
    answer = api.get(f"/jobs/{job_id}", documented=False)
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert answer.json["request_id"] in caplog.text
    assert "ValidationError" in caplog.text
    assert "hunter2" not in answer.text + caplog.text


def test_settings_that_are_missing_are_told_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    from chalicelib.config import load
    from chalicelib.http.api import Api

    def services() -> Services:
        raise AssertionError(load({}))

    answer = Api(table(), services)({"requestContext": {"resourcePath": "/jobs", "httpMethod": "GET"}}, None)
    assert answer["statusCode"] == 500
    assert "CHRONOS_CATALOG_TABLE" in caplog.text
    assert "CHRONOS" not in answer["body"]
