"""tzdata's own files, read without zoneinfo: an oracle for what the domain finds by probing."""

import struct
from importlib.resources import files


def transitions(name: str) -> list[int]:
    """The moments that a zone's file lists, from the second block of the TZif format (RFC 8536).

    Files are slim: what goes on by a yearly rule is listed only up to the first year of that rule.
    """
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    isutc, isstd, leap, times, types, chars = struct.unpack(">6l", data[20:44])
    start = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    times = struct.unpack(">6l", data[start + 20 : start + 44])[3]
    return list(struct.unpack(f">{times}q", data[start + 44 : start + 44 + times * 8]))
