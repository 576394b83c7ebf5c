"""Locations and configs of file_system jobs: what is accepted, what names what, and what is refused."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.file_system.locations import location, matches
from chalicelib.executors.file_system.spec import Config

ROLE = "arn:aws:iam::123456789012:role/files"


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("*", "a", True),
        ("*", "a/b", False),
        ("*.csv", ".csv", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcdef", False),
        ("?", "ab", False),
        ("**", "a/b/c", True),
        ("a/**", "a/b/c", True),
        ("a/**", "b/a", False),
        ("**/c", "c", True),
        ("**/c", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a/**/b/*.x", "a/b/b/b/z.x", True),
        ("a/**/b/*.x", "a/b/c/z.x", False),
        ("[a]", "a", False),
    ],
)
def test_a_pattern_names_paths(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


def test_no_pattern_takes_long() -> None:
    began = time.perf_counter()
    assert not matches("*a" * 200 + "b", "a" * 1000)
    assert not matches("/".join(["**", "a"] * 100) + "/b", "/".join(["a"] * 500))
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("s3://bucket/a/b*/c", "a/"),
        ("s3://bucket/*", ""),
        ("file:///a/b/c.txt", "a/b/"),
        ("file:///a/**", "a/"),
    ],
)
def test_the_fixed_part_is_what_comes_before_the_first_wildcard(text: str, fixed: str) -> None:
    assert location(text).fixed == fixed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/b",
        "/etc/passwd",
        "ftp://host/a",
        "s3://bucket",
        "s3:///a",
        "s3://UPPER/a",
        "s3://b/a",
        "s3://bucket/../a",
        "s3://bucket//a",
        "file://host/a",
        "file:///../a",
        "file:///a/../b",
        "file:////etc/passwd",
        "file:///a/./b",
        "file:///a\x00b",
        "file:///a\\b",
        "file:///" + "x" * 1100,
        "S3://bucket/a",
    ],
)
def test_what_is_no_location_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        location(text)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"operation": {"do": "list", "source": "s3://bucket/*"}}, "S3 needs a role"),
        ({"operation": {"do": "copy", "source": "file:///a", "to": "s3://bucket/b"}}, "on either side"),
        ({"operation": {"do": "list", "source": "file:///a/"}}, "a folder is no file"),
        ({"operation": {"do": "copy", "source": "file:///*", "to": "file:///b"}}, "many need a folder"),
        ({"operation": {"do": "copy", "source": "file:///a", "to": "file:///*"}}, "no wildcards in `to`"),
        ({"operation": {"do": "extract", "source": "file:///*.zip", "to": "file:///b/"}}, "one archive"),
        ({"operation": {"do": "extract", "source": "file:///a.zip", "to": "file:///b"}}, "needs a folder"),
        ({"operation": {"do": "archive", "source": "file:///*", "to": "file:///b/"}}, "needs a file"),
        ({"operation": {"do": "compress", "source": "file:///*", "to": "file:///b"}}, "needs a folder"),
        ({"operation": {"do": "chmod", "source": "file:///a"}}, "no such operation"),
        ({"operation": {"do": "list", "source": "file:///a", "max_files": 10_001}}, "too many"),
        ({"operation": {"do": "list", "source": "file:///a"}, "region": "evil.example/"}, "no region"),
        ({"operation": {"do": "list", "source": "file:///a"}, "role_arn": "me"}, "no role"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(config)


def test_a_config_names_the_places_that_it_uses() -> None:
    operation = {"do": "copy", "source": "s3://bucket/a/*", "to": "file:///b/"}
    config = Config.model_validate({"operation": operation, "role_arn": ROLE})
    assert [(place.scheme, place.bucket, place.path) for place in config.places()] == [
        ("s3", "bucket", "a/*"),
        ("file", "", "b/"),
    ]
