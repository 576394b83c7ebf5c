"""What the outbound guard lets through, in every spelling that the resolver takes."""

import socket
import threading

import pytest

from chalicelib.executors.guard import ForbiddenTarget, Guard, Target, guard, look_up, within
from tests.support.targets import REFUSED

PUBLIC_ONLY = Guard()

PUBLIC = [
    ("1.1.1.1", "an ordinary address"),
    ("8.8.8.8", "an ordinary address"),
    ("134744072", "the same in decimal"),
    ("9.255.255.255", "just before 10/8"),
    ("11.0.0.0", "just after 10/8"),
    ("100.63.255.255", "just before the shared range"),
    ("100.128.0.0", "just after it"),
    ("126.255.255.255", "just before the loopback"),
    ("128.0.0.1", "just after it"),
    ("169.253.255.255", "just before link-local"),
    ("169.255.0.0", "just after it"),
    ("172.15.255.255", "just before 172.16/12"),
    ("172.32.0.0", "just after it"),
    ("192.167.255.255", "just before 192.168/16"),
    ("192.169.0.0", "just after it"),
    ("198.17.255.255", "just before benchmarking"),
    ("198.20.0.0", "just after it"),
    ("223.255.255.255", "just before multicast"),
    ("168.63.129.15", "beside a cloud's metadata"),
    ("2606:4700:4700::1111", "an ordinary IPv6 address"),
    ("2a00:1450:4001:82b::200e", "an ordinary IPv6 address"),
    ("::ffff:8.8.8.8", "mapped, but public"),
    ("64:ff9b::8.8.8.8", "how an IPv6-only network reaches a public IPv4 address"),
    ("2a00:1450::5efe:8.8.8.8", "ISATAP of a public address"),
]


@pytest.mark.parametrize(("spelling", "reason"), REFUSED)
def test_a_target_that_is_not_public_is_refused(spelling: str, reason: str) -> None:
    with pytest.raises(ForbiddenTarget, match=f"which is {reason.partition('(')[0]}"):
        PUBLIC_ONLY.targets(spelling, 80, seconds=1)


@pytest.mark.parametrize(("spelling", "why"), PUBLIC)
def test_a_public_target_passes(spelling: str, why: str) -> None:
    assert PUBLIC_ONLY.targets(spelling, 80, seconds=1), why


@pytest.mark.parametrize(
    ("networks", "address", "passes", "why"),
    [
        (("127.0.0.0/8",), "127.0.0.1", True, "named"),
        (("127.0.0.0/8",), "::ffff:127.0.0.1", True, "another form of a named one"),
        (("127.0.0.0/8",), "::1", False, "another family"),
        (("127.0.0.0/8", "::1/128"), "::1", True, "named"),
        (("10.1.0.0/16",), "10.1.2.3", True, "inside the named network"),
        (("10.1.0.0/16",), "10.2.0.1", False, "beside it"),
        (("10.1.2.3/32",), "10.1.2.3", True, "a single host"),
        (("127.0.0.0/8",), "169.254.169.254", False, "metadata is not the loopback"),
        (("fd00::/8",), "fd00:ec2::254", True, "the operator said so"),
        ((), "127.0.0.1", False, "nothing is named"),
    ],
)
def test_an_allowed_network_opens_itself_and_nothing_else(
    networks: tuple[str, ...], address: str, passes: bool, why: str
) -> None:
    assert (guard(networks).refusal(address) is None) is passes, why


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        guard(("the office",))


def _answers(*addresses: str) -> list[Target]:
    return [(socket.AF_INET6 if ":" in one else socket.AF_INET, (one, 80)) for one in addresses]


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        (("8.8.8.8", "127.0.0.1"), "the second points inward"),
        (("127.0.0.1", "8.8.8.8"), "the first points inward"),
        (("8.8.8.8", "::1"), "the other family points inward"),
        (("8.8.8.8",) * 20 + ("10.0.0.1",), "far down the list"),
    ],
)
def test_a_name_is_refused_if_any_of_its_addresses_is(addresses: tuple[str, ...], why: str) -> None:
    trap = Guard(resolver=lambda host, port, seconds: _answers(*addresses))
    with pytest.raises(ForbiddenTarget, match=r"trap\.example is at"):
        trap.targets("trap.example", 80, seconds=1)


def test_a_slow_resolver_is_not_waited_for() -> None:
    never = threading.Event()

    def slow() -> list[Target]:
        never.wait(30)
        return []

    with pytest.raises(TimeoutError):
        within(0.05, slow)
    never.set()


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..b", "\udc80"])
def test_what_cannot_be_a_name_is_unknown(host: str) -> None:
    with pytest.raises(socket.gaierror):
        look_up(host, 80, seconds=5)
