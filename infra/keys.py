"""API keys of a stage: made at random, stored as a digest only."""

import hashlib
import secrets


def new_key(stage: str) -> str:
    """A key with 256 random bits; its beginning says what it is, so that scanners find a leaked one."""
    return f"chronos_{stage}_{secrets.token_urlsafe(32)}"


def digest(key: str) -> str:
    """The SHA-256 by which the API knows the key, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()
