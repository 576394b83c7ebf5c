"""The bodies of http jobs: what each kind takes, and the bytes that are sent."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.http.bodies import content
from chalicelib.executors.http.spec import Config

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
FORM, BYTES = "application/x-www-form-urlencoded", "application/octet-stream"


def _config(body: Any, kind: str) -> Config:
    return Config.model_validate({"url": "https://example.com", "body": body, "body_kind": kind})


@pytest.mark.parametrize(
    ("kind", "body", "sent", "media_type", "why"),
    [
        ("auto", None, None, None, "none"),
        ("auto", {"a": "ä"}, '{"a":"ä"}'.encode(), JSON, "an object"),
        ("auto", [1, 2], b"[1,2]", JSON, "an array"),
        ("auto", 1.5, b"1.5", JSON, "a number"),
        ("auto", False, b"false", JSON, "a boolean"),
        ("auto", "plain ä", "plain ä".encode(), TEXT, "a text"),
        ("json", "text", b'"text"', JSON, "a text as JSON"),
        ("json", {}, b"{}", JSON, "an empty object"),
        ("json", None, None, None, "none of any kind"),
        (
            "form",
            {"a": "x y&z", "b": [1, True], "ä": 0.5},
            b"a=x+y%26z&b=1&b=true&%C3%A4=0.5",
            FORM,
            "a form",
        ),
        ("form", {}, b"", FORM, "an empty form"),
        ("text", "", b"", TEXT, "an empty text"),
        ("base64", "AP8=", b"\x00\xff", BYTES, "any bytes"),
    ],
)
def test_a_body_is_sent_as_its_kind_has_it(
    kind: str, body: Any, sent: bytes | None, media_type: str | None, why: str
) -> None:
    config = _config(body, kind)
    assert content(config.body, config.body_kind) == (sent, media_type), why


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("form", "a=b", "no object"),
        ("form", {"a": {"b": 1}}, "an object in a field"),
        ("form", {"a": None}, "nothing in a field"),
        ("form", {"a": [[1]]}, "a list in a list"),
        ("text", 5, "a number"),
        ("base64", "AP8", "no padding"),
        ("base64", "A P8=", "a space in between"),
        ("base64", {"a": 1}, "an object"),
        ("multipart", "x", "a kind that is not there"),
        ("auto", "x" * 131_072, "too long"),
        ("json", [float("nan")], "no JSON"),
    ],
)
def test_a_body_that_does_not_fit_its_kind_is_refused(kind: str, body: Any, why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _config(body, kind)
    assert {each["loc"][0] for each in caught.value.errors()} <= {"body", "body_kind"}, why
