"""What the outbound guard lets through, in every spelling that the resolver takes."""

import socket
import threading

import pytest

from chalicelib.executors.guard import ForbiddenTarget, Guard, Target, guard, look_up, within

PUBLIC_ONLY = Guard()

REFUSED = [
    # loopback
    ("127.0.0.1", "loopback"),
    ("127.0.0.2", "loopback"),
    ("127.255.255.254", "loopback"),
    ("127.1", "loopback"),
    ("127.0.1", "loopback"),
    ("2130706433", "loopback"),
    ("0x7f000001", "loopback"),
    ("0X7F000001", "loopback"),
    ("0x7f.1", "loopback"),
    ("0x7f.0.0.1", "loopback"),
    ("0x7f.0x0.0x0.0x1", "loopback"),
    ("017700000001", "loopback"),
    ("0177.1", "loopback"),
    ("0177.0.0.1", "loopback"),
    ("0177.0.0.01", "loopback"),
    ("127.0x0.00.1", "loopback"),
    ("127.65535", "loopback"),
    ("127.16777215", "loopback"),
    ("::1", "loopback"),
    ("0:0:0:0:0:0:0:1", "loopback"),
    ("0000:0000:0000:0000:0000:0000:0000:0001", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:7f00:1", "loopback"),
    ("::FFFF:7F00:0001", "loopback"),
    ("0:0:0:0:0:ffff:127.0.0.1", "loopback"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::7f00:1", "loopback"),
    # unspecified: the kernel dials the loopback
    ("0", "unspecified"),
    ("0.0.0.0", "unspecified"),
    ("0x0", "unspecified"),
    ("00", "unspecified"),
    ("0.1", "unspecified"),
    ("0.255.255.255", "unspecified"),
    ("::", "unspecified"),
    ("0:0:0:0:0:0:0:0", "unspecified"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("64:ff9b::", "unspecified"),
    # clouds' metadata
    ("169.254.169.254", "link-local"),
    ("169.254.170.2", "link-local"),
    ("169.254.170.23", "link-local"),
    ("169.254.0.1", "link-local"),
    ("169.254.43518", "link-local"),
    ("169.16689662", "link-local"),
    ("2852039166", "link-local"),
    ("0xa9fea9fe", "link-local"),
    ("0xa9.0xfe.0xa9.0xfe", "link-local"),
    ("025177524776", "link-local"),
    ("0251.0376.0251.0376", "link-local"),
    ("0251.254.0xa9.0376", "link-local"),
    ("::ffff:169.254.169.254", "link-local"),
    ("::ffff:a9fe:a9fe", "link-local"),
    ("64:ff9b::169.254.169.254", "link-local"),
    ("64:ff9b::a9fe:a9fe", "link-local"),
    ("fd00:ec2::254", "private"),
    ("fd00:ec2::23", "private"),
    ("fd20:ce::254", "private"),
    ("168.63.129.16", "cloud metadata"),
    ("2822734096", "cloud metadata"),
    ("100.100.100.200", "shared (carrier-grade NAT)"),
    ("192.0.0.192", "reserved"),
    # private
    ("10.0.0.0", "private"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("10.1", "private"),
    ("012.1", "private"),
    ("0xa.1", "private"),
    ("167772161", "private"),
    ("0x0a000001", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("172.17.1", "private"),
    ("0xac.0x10.1", "private"),
    ("2886729729", "private"),
    ("192.168.0.1", "private"),
    ("192.168.255.255", "private"),
    ("192.168.257", "private"),
    ("0300.0250.0.1", "private"),
    ("3232235521", "private"),
    ("0xc0a80001", "private"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:192.168.0.1", "private"),
    ("::ffff:172.16.0.1", "private"),
    ("::ffff:ac1f:ffff", "private"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::192.168.1.1", "private"),
    ("fc00::1", "private"),
    ("fd12:3456:789a::1", "private"),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"),
    ("100.64.0.1", "shared (carrier-grade NAT)"),
    ("100.127.255.255", "shared (carrier-grade NAT)"),
    ("1681915905", "shared (carrier-grade NAT)"),
    ("::ffff:100.64.0.1", "shared (carrier-grade NAT)"),
    # link-local and site-local IPv6
    ("fe80::1", "link-local"),
    ("fe80::1%1", "link-local"),
    ("febf:ffff::1", "link-local"),
    ("fec0::1", "site-local"),
    ("feff::1", "site-local"),
    # multicast
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("3758096385", "multicast"),
    ("0xe0.1", "multicast"),
    ("::ffff:224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast"),
    # reserved, broadcast, documentation, benchmarking
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("4294967295", "reserved"),
    ("0xffffffff", "reserved"),
    ("037777777777", "reserved"),
    ("::ffff:255.255.255.255", "reserved"),
    ("192.0.0.1", "reserved"),
    ("192.0.0.170", "reserved"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("100::1", "reserved"),
    ("5f00::1", "reserved"),
    ("4000::1", "reserved"),
    ("1::1", "reserved"),
    ("2001:2::1", "reserved"),
    ("2001:10::1", "reserved"),
    ("2001:20::1", "reserved"),
    # IPv4 inside IPv6, by tunnels and translators
    ("192.88.99.1", "6to4 relay"),
    ("2002:7f00:1::", "6to4 tunnel"),
    ("2002:a9fe:a9fe::1", "6to4 tunnel"),
    ("2002:c0a8:1::1", "6to4 tunnel"),
    ("2002:0808:0808::1", "6to4 tunnel"),
    ("2001::1", "Teredo tunnel"),
    ("2001:0:4136:e378:8000:63bf:80ff:fffe", "Teredo tunnel"),
    ("2001:0:7f00:1::", "Teredo tunnel"),
    ("64:ff9b:1::1", "local NAT64"),
    ("64:ff9b:1::a9fe:a9fe", "local NAT64"),
    ("::127.0.0.1", "reserved"),
    ("::169.254.169.254", "reserved"),
    ("::7f00:1", "reserved"),
    ("::ffff:0:127.0.0.1", "reserved"),
    ("::ffff:0:a9fe:a9fe", "reserved"),
    ("2a00:1450::5efe:127.0.0.1", "ISATAP for loopback"),
    ("2a00:1450::5efe:a9fe:a9fe", "ISATAP for link-local"),
    ("2a00:1450::200:5efe:10.0.0.1", "ISATAP for private"),
]

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
