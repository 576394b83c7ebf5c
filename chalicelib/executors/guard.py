"""The outbound guard: a name is resolved once, every address is checked, and a checked address is dialled.

Only public addresses pass, in any spelling that the resolver takes, unless the operator allows their network.
"""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Target = tuple[int, tuple[Any, ...]]
"""An address family, and the socket address in it."""
Resolver = Callable[[str, int, float], list[Target]]
"""(host, port, seconds) -> targets. OSError if there are none."""

_MAX_TARGETS = 8

# IANA's special-purpose registries, and what clouds serve to their own machines.
_REFUSED_V4 = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared (carrier-grade NAT)"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "cloud metadata"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
_REFUSED_V6 = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("64:ff9b:1::/48", "local NAT64"),
    ("2001::/32", "Teredo tunnel"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4 tunnel"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason) for network, reason in _REFUSED_V4 + _REFUSED_V6
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_MAPPED_V6 = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = 0x00005EFE


class ForbiddenTarget(Exception):
    """The guard refuses an address. The message is fit for the job's owner."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Dials what it has checked. `allowed` are networks that pass although they are not public."""

    allowed: tuple[Network, ...] = ()
    resolver: Resolver | None = None

    def refusal(self, address: str) -> str | None:
        """Why the address must not be dialled, None if it may."""
        plain = ip_address(address.partition("%")[0])
        judged = _unwrapped(plain)
        if any(_contains(network, one) for network in self.allowed for one in (plain, judged)):
            return None
        return _special(judged)

    def targets(self, host: str, port: int, seconds: float) -> list[Target]:
        """The host's addresses. ForbiddenTarget if any is refused: a name pointing inward too is a trap."""
        found = (self.resolver or look_up)(host, port, seconds)
        for _, address in found:
            reason = self.refusal(address[0])
            if reason:
                raise ForbiddenTarget(f"{host} is at {address[0]}, which is {reason}: not a public address.")
        return found[:_MAX_TARGETS]

    def dial(
        self, host: str, port: int, seconds: float, make: Callable[[int], socket.socket] = socket.socket
    ) -> socket.socket:
        """A connected socket of `make(family)`, whose timeout is what is left of `seconds`.

        ForbiddenTarget, TimeoutError, or the last address's OSError. Each address gets a share of the time.
        """
        until = time.monotonic() + seconds
        targets = self.targets(host, port, seconds)
        failure: OSError = TimeoutError("timed out")
        for index, target in enumerate(targets):
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            try:
                return _connected(target, left / (len(targets) - index), until, make)
            except OSError as error:
                failure = error
        raise failure


@cache
def guard(allow_networks: tuple[str, ...]) -> Guard:
    """The guard that lets these CIDRs through. ValueError if one is none."""
    return Guard(tuple(ip_network(network) for network in allow_networks))


def look_up(host: str, port: int, seconds: float) -> list[Target]:
    """The system's resolver, for at most `seconds`. An address in any spelling is known at once."""
    try:
        return _resolve(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return within(seconds, lambda: _resolve(host, port))


def _resolve(host: str, port: int, flags: int = 0) -> list[Target]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    return [(family, address) for family, _, _, _, address in found]


def within(seconds: float, work: Callable[[], list[Target]]) -> list[Target]:
    """The work's result, or its OSError, or TimeoutError.

    getaddrinfo knows no timeout, so that a thread may be left behind until the resolver gives up.
    """
    results: list[list[Target]] = []
    errors: list[OSError] = []

    def attempt() -> None:
        try:
            results.append(work())
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, name="resolve", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("the name was not resolved in time")
    return results[0]


def _connected(
    target: Target, seconds: float, until: float, make: Callable[[int], socket.socket]
) -> socket.socket:
    family, address = target
    connection = make(family)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(max(0.001, until - time.monotonic()))
    except BaseException:
        connection.close()
        raise
    return connection


def _contains(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that a mapped or NAT64 one stands for: packets to it go there."""
    if isinstance(address, IPv6Address) and (address in _MAPPED_V6 or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _special(address: Address) -> str | None:
    for network, reason in _REFUSED:
        if _contains(network, address):
            return reason
    if isinstance(address, IPv4Address):
        return None
    if address not in _GLOBAL_UNICAST_V6:
        return "reserved"
    return _inside_isatap(address)


def _inside_isatap(address: IPv6Address) -> str | None:
    """An ISATAP interface id carries an IPv4 address, to which a tunnel would deliver."""
    if (int(address) >> 32) & 0xFDFFFFFF != _ISATAP:
        return None
    reason = _special(IPv4Address(int(address) & 0xFFFFFFFF))
    return f"ISATAP for {reason}" if reason else None
