"""Masks: a secret is blacked out in each spelling in which another side may send it back."""

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest

from chalicelib.domain.masking import Masks

SECRET = 'p"ä\\s/s + wörd\n😀&<x>'
MASKS = Masks([SECRET])


def escaped_throughout(text: str) -> str:
    """Each character as JSON may write it, too."""
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex().upper()}" for at in range(0, len(units), 2))


@pytest.mark.parametrize(
    ("spelled", "why"),
    [
        (SECRET, "as it is"),
        (json.dumps(SECRET)[1:-1], "in JSON, in ASCII"),
        (json.dumps(SECRET, ensure_ascii=False)[1:-1], "in JSON"),
        (json.dumps(SECRET)[1:-1].replace("/", "\\/"), "in JSON as PHP writes it"),
        (json.dumps(json.dumps(SECRET))[3:-3], "in JSON inside JSON"),
        (escaped_throughout(SECRET), "every character escaped"),
        (quote(SECRET), "in a URL"),
        (quote(SECRET, safe=""), "in a URL, slashes too"),
        (quote(SECRET).lower(), "in small letters"),
        (quote_plus(SECRET), "in a form"),
        (quote(quote(SECRET)), "twice encoded"),
        (html.escape(SECRET), "on a page"),
        (json.dumps(quote(SECRET))[1:-1], "a URL in JSON"),
    ],
)
def test_a_secret_is_masked_however_it_is_spelled(spelled: str, why: str) -> None:
    assert MASKS.text(f"before {spelled} after {spelled}") == "before *** after ***", why


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_of_a_secret_in_base64_next_to_nothing_is_left(before: str, encode: object) -> None:
    secret = "correct?horse>battery"
    coded = encode(f"{before}{secret}x".encode()).decode()  # type: ignore[operator]
    masked = Masks([secret]).text(f"Basic {coded}.")
    assert "***" in masked
    assert len(masked.replace("***", "")) <= len("Basic .") + 4 + len(before) * 4 // 3 + 4


@pytest.mark.parametrize("kept", [4, 10, len("correct horse") - 1])
def test_a_secret_that_was_cut_off_at_the_end_is_masked_too(kept: int) -> None:
    masks = Masks(["correct horse"])
    assert masks.text("the password is " + "correct horse"[:kept]) == "the password is ***"
    assert masks.text("that is correct!") == "that is correct!", "elsewhere it is a word"


def test_masks_go_through_json_and_leave_all_that_is_no_text() -> None:
    value = {"hunter2": ["a hunter2 b", 1, None, True, {"x": ("hunter2",)}], "n": 1.5}
    assert Masks(["hunter2"]).value(value) == {"***": ["a *** b", 1, None, True, {"x": ["***"]}], "n": 1.5}


def test_values_that_overlap_or_touch_leave_nothing_between_them() -> None:
    assert Masks(["abcdef", "defghi"]).text("-abcdefghi-") == "-***-"
    assert Masks(["abcd", "efgh"]).text("-abcdefgh-") == "-******-"


def test_short_values_are_not_masked() -> None:
    masks = Masks(["abc", ""])
    assert not masks
    assert masks.value({"a": "abc"}) == {"a": "abc"}


def test_of_several_lines_each_long_one_is_masked_alone() -> None:
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\nshort\n-----END KEY-----\n"
    assert Masks([key]).text("line 2: MIIBVgIBADANBgkq; short") == "line 2: ***; short"


def test_of_json_the_texts_in_it_are_masked_alone() -> None:
    whole = '{"user": "postgres", "more": [{"password": "hunter2"}], "port": 5432}'
    assert Masks([whole]).text("postgres:hunter2@db:5432") == "***:***@db:5432"
    assert Masks(['{"broken: hunter2']).text('{"broken: hunter2') == "***"


def test_another_word_may_stand_for_it() -> None:
    assert Masks(["token-1"], "[token]").text("/token-1/") == "/[token]/"


@pytest.mark.parametrize(
    "text",
    ["\\" * 100_000, "%41" * 30_000, "&amp;" * 20_000, "+" * 100_000, "a" * 100_000, "\\u0041" * 16_000],
    ids=lambda text: text[:6],
)
def test_a_hostile_answer_does_not_hold_up_the_worker(text: str) -> None:
    start = time.process_time()
    Masks(["a" * 40, SECRET]).text(text)
    assert time.process_time() - start < 3
