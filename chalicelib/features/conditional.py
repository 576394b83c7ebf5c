"""Conditional requests (RFC 9110): ETag is the revision in quotes, If-Match is compared strongly."""

from chalicelib.domain.errors import PreconditionFailed


def etag(revision: int) -> str:
    return f'"{revision}"'


def require_match(if_match: str | None, revision: int) -> None:
    """PreconditionFailed if there is an If-Match, and it names other revisions only."""
    if if_match is None:
        return
    named = {tag.strip() for tag in if_match.split(",")}
    if "*" not in named and etag(revision) not in named:
        raise PreconditionFailed(f"It is at revision {revision} now, which If-Match does not name.")
