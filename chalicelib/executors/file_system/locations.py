"""Where files are: `s3://bucket/key` and `file:///path`, with `*`, `?` and `**` to name many."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MAX_LOCATION = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_WILD = ("*", "?")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a store. `path` has no slash at its beginning; `bucket` is empty for files of the mount."""

    scheme: Literal["s3", "file"]
    bucket: str
    path: str

    @property
    def is_pattern(self) -> bool:
        return any(sign in self.path for sign in _WILD)

    @property
    def is_folder(self) -> bool:
        return self.path == "" or self.path.endswith("/")

    @property
    def fixed(self) -> str:
        """The folders before the first wildcard, with a slash at the end; of a plain path the folders that it is in."""
        parts = self.path.split("/")
        plain = next(
            (n for n, part in enumerate(parts) if any(sign in part for sign in _WILD)), len(parts) - 1
        )
        return "".join(part + "/" for part in parts[:plain])

    def text(self, path: str) -> str:
        """How a file of this store is written."""
        return f"s3://{self.bucket}/{path}" if self.scheme == "s3" else f"file:///{path}"


def location(text: str) -> Location:
    """ValueError if it is none."""
    if len(text.encode()) > MAX_LOCATION:
        raise ValueError(f"must not be longer than {MAX_LOCATION} bytes")
    scheme, separator, rest = text.partition("://")
    bucket, slash, path = rest.partition("/")
    if not separator or not slash or scheme not in ("s3", "file"):
        raise ValueError("must be s3://bucket/key or file:///path")
    if scheme == "s3" and not _BUCKET.fullmatch(bucket):
        raise ValueError("must name a bucket: s3://bucket/key")
    if scheme == "file" and bucket:
        raise ValueError("must have three slashes: file:///path")
    if path:
        checked_path(path.removesuffix("/"))
    return Location("s3" if scheme == "s3" else "file", bucket, path)


def checked_path(path: str) -> str:
    """A relative path that stays below where it begins. ValueError otherwise."""
    if any(ord(sign) < 32 or sign in "\\\x7f" for sign in path):
        raise ValueError("must not contain control characters or backslashes")
    if any(part in ("", ".", "..") for part in path.split("/")) or len(path.encode()) > MAX_LOCATION:
        raise ValueError("must be a short path without empty parts, `.` and `..`")
    return path


def matches(pattern: str, path: str) -> bool:
    """Whether the path is one that the pattern names: `**` is any folders, `*` and `?` are within one name."""
    return _matches(pattern.split("/"), path.split("/"), "**", _matches_name)


def _matches_name(pattern: str, name: str) -> bool:
    return _matches(pattern, name, "*", lambda sign, letter: sign in ("?", letter))


def _matches(pattern: Sequence[str], parts: Sequence[str], many: str, same: object) -> bool:
    """Greedy, with one place to come back to: at most the product of the lengths in steps, whatever the pattern."""
    assert callable(same)
    at = here = 0
    back: tuple[int, int] | None = None
    while here < len(parts):
        if at < len(pattern) and pattern[at] == many:
            back, at = (at, here), at + 1
        elif at < len(pattern) and same(pattern[at], parts[here]):
            at, here = at + 1, here + 1
        elif back is not None:
            back = (back[0], back[1] + 1)
            at, here = back[0] + 1, back[1]
        else:
            return False
    return all(rest == many for rest in pattern[at:])
