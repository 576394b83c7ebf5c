"""What a request's body may be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import ChronosError, Malformed, PayloadTooLarge, UnsupportedMediaType
from chalicelib.http.body import MAX_BODY_BYTES, MAX_DEPTH, check_media_type, decode_object

TEXT = st.text(alphabet='aZ09 äЖ漢\N{GRINNING FACE}"\\/{}[],:\x00\x7f\u2028', max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(TEXT, VALUES, max_size=3))
def test_any_decent_object_comes_back_as_it_was(value: dict[str, object]) -> None:
    assert decode_object(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


@given(
    st.binary(max_size=200)
    | st.text(alphabet='{}[]",:0123456789eE+-.\\udtrnfalse ', max_size=80).map(str.encode)
)
def test_no_bytes_are_answered_with_anything_but_an_object_or_a_refusal(body: bytes) -> None:
    try:
        assert isinstance(decode_object(body), dict)
    except ChronosError as error:
        assert isinstance(error, Malformed)  # noqa: PT017 - either outcome is fine


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert decode_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_the_limits_are_sharp() -> None:
    room = MAX_BODY_BYTES - len('{"a":""}')
    assert decode_object(b'{"a":"' + b"x" * room + b'"}')
    with pytest.raises(PayloadTooLarge):
        decode_object(b'{"a":"' + b"x" * (room + 1) + b'"}')
    deep = MAX_DEPTH - 1
    assert decode_object(b'{"a":' + b"[" * deep + b"]" * deep + b"}")
    with pytest.raises(Malformed):
        decode_object(b'{"a":' + b"[" * (deep + 1) + b"]" * (deep + 1) + b"}")


def test_a_refusal_says_where() -> None:
    with pytest.raises(Malformed, match="line 2, column 3"):
        decode_object(b'{"a": 1,\n  b}')


def test_a_refusal_of_a_media_type_names_those_that_are_accepted() -> None:
    with pytest.raises(UnsupportedMediaType, match="application/json or application/merge-patch"):
        check_media_type("text/plain", ["application/merge-patch+json", "application/json"])
