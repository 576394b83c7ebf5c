"""Hosts have one name each, however they are written."""

import pytest

from chalicelib.executors.hosts import endpoint, host_name


@pytest.mark.parametrize(
    ("host", "name", "why"),
    [
        ("Example.COM.", "example.com", "capitals and a dot at the end"),
        ("[2001:DB8::0:1]", "2001:db8::1", "IPv6 in its short form"),
        ("bücher.example", "xn--bcher-kva.example", "in ASCII"),
        ("a_b.example", "a_b.example", "an underscore, as some names have"),
        ("fe80::1%eth0", None, "a network interface of ours"),
        ("fe80::1%1]:5999", None, "an address that is none, after a percent sign"),
        ("a b", None, "a space"),
        ("user@example.com", None, "a user"),
        ("", None, "nothing"),
        ("a" * 254, None, "too long"),
        ("ⓔxample.com", None, "a letter that only looks like one"),
    ],
)
def test_a_host_has_one_name(host: str, name: str | None, why: str) -> None:
    assert host_name(host) == name, why


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.example", ("a.example", 9092)),
        ("a.example:1", ("a.example", 1)),
        ("[::1]", ("::1", 9092)),
        ("[::1]:65535", ("::1", 65535)),
        ("::1", ("::1", 9092)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(text: str, found: tuple[str, int]) -> None:
    assert endpoint(text, 9092) == found


@pytest.mark.parametrize(
    "text", ["", ":1", "a:", "a:0", "a:65536", "a:x", "a:1:2", "[fe80::1%1]:5999", "http://a", "a:٣"]
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a host"):
        endpoint(text, 9092)
