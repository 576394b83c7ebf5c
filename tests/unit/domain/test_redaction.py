"""What may be kept of a document for good."""

from typing import Any

import pytest

from chalicelib.domain.redaction import MAX_FIELD, cut, differing, masked

REFERENCE = "${{ secrets.api }}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"password": "hunter22"}, {"password": "***"}),
        ({"Authorization": "Bearer abc"}, {"Authorization": "***"}),
        ({"X-Api-Key": "abc", "Set-Cookie": "a=b"}, {"X-Api-Key": "***", "Set-Cookie": "***"}),
        ({"client_secret": ["a", {"b": 1}]}, {"client_secret": ["***", {"b": "***"}]}),
        ({"auth": {"user": "ada", "access token": "abc"}}, {"auth": {"user": "ada", "access token": "***"}}),
        ({"secret": None, "token": True}, {"secret": None, "token": True}),
        ({"password": REFERENCE}, {"password": REFERENCE}),
        ({"Authorization": f"Bearer {REFERENCE}"}, {"Authorization": f"Bearer {REFERENCE}"}),
        ({"password": f"abc{REFERENCE}"}, {"password": "***"}),
        ([{"name": "Authorization", "value": "abc"}], [{"name": "Authorization", "value": "***"}]),
        ([{"name": "nightly", "value": "abc"}], [{"name": "nightly", "value": "abc"}]),
        ({"url": "https://ada:pw@example.com/a"}, {"url": "https://***@example.com/a"}),
        (
            {"url": "https://example.com/?day=1&api_key=abc#x"},
            {"url": "https://example.com/?day=1&api_key=***#x"},
        ),
        ({"url": "https://example.com/a@b"}, {"url": "https://example.com/a@b"}),
        ({"count": 3, "note": "a=b"}, {"count": 3, "note": "a=b"}),
    ],
)
def test_secrets_are_masked_by_their_names(value: Any, expected: Any) -> None:
    assert masked(value) == expected


def test_of_a_change_only_what_differs_is_kept() -> None:
    before, after = {"name": "a", "old": 1, "same": [1]}, {"name": "b", "new": 2, "same": [1]}
    assert differing(before, after) == ({"name": "a", "old": 1}, {"name": "b", "new": 2})
    assert differing(None, after) == (None, after)
    assert differing(before, None) == (before, None)


def test_a_large_field_is_kept_as_its_digest() -> None:
    found = cut({"name": "a", "config": "x" * MAX_FIELD})
    assert found is not None
    assert found["name"] == "a"
    assert found["config"]["cut_bytes"] == MAX_FIELD + 2
    assert len(found["config"]["sha256"]) == 64
