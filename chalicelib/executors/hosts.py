"""Hosts as limits name them: one name for one machine, however it is written."""

from ipaddress import ip_address

MAX_HOST = 253


def host_name(host: str) -> str | None:
    """In lower case, in ASCII, without a dot at the end; an IPv6 address in its short form. None if it is no host."""
    plain = host.strip("[]").rstrip(".").lower()
    if "%" in plain:  # a network interface of ours, after which ip_address takes anything
        return None
    try:
        return str(ip_address(plain))
    except ValueError:
        pass
    if not plain.isascii():
        import idna

        try:
            plain = idna.encode(plain, strict=True, std3_rules=True).decode()
        except idna.IDNAError:
            return None
    is_name = plain.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return plain if is_name and len(plain) <= MAX_HOST else None


def endpoint(text: str, default_port: int) -> tuple[str, int]:
    """The host and port of `host`, `host:port` or `[IPv6]:port`. ValueError if it is none of them."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or host_name(text):
        host, port = text, str(default_port)
    name = host_name(host)
    if name is None or not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise ValueError("must be a host, or host:port; an IPv6 address with a port in brackets")
    return name, int(port)
