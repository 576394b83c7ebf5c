"""Hosts as limits name them: one name for one machine, however it is written."""

from ipaddress import ip_address

MAX_HOST = 253


def host_name(host: str) -> str | None:
    """In lower case, in ASCII, without a dot at the end; an IPv6 address in its short form. None if it is no host."""
    plain = host.strip("[]").rstrip(".").lower()
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
