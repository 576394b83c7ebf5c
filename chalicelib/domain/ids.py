"""Identifiers: ULIDs with a prefix, and a run's id, which follows from its occurrence."""

import hashlib
import zlib

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, as the ULID specification has it."""

_TIME_DIGITS, _RANDOM_DIGITS = 10, 16
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_VALUES = {digit: value for value, digit in enumerate(ALPHABET)}


def _base32(value: int, digits: int) -> str:
    """An even number of digits, two at a time."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(5 * digits - 10, -1, -10)])


def ulid(at_ms: int, randomness: bytes) -> str:
    """26 characters that sort by `at_ms` (48 bits, epoch milliseconds), then by 10 bytes of randomness."""
    return _base32(at_ms, _TIME_DIGITS) + _base32(int.from_bytes(randomness[:10], "big"), _RANDOM_DIGITS)


def job_id(at_ms: int, randomness: bytes) -> str:
    """A new job's id."""
    return "job_" + ulid(at_ms, randomness)


def backfill_id(at_ms: int, randomness: bytes) -> str:
    """A new backfill's id."""
    return "backfill_" + ulid(at_ms, randomness)


def run_id(job: str, nominal_ms: int, trigger_key: str = "") -> str:
    """The id of the run of `job` at `nominal_ms`: the same whoever computes it.

    `trigger_key` is empty for the schedule's own occurrences and tells other triggers of one moment apart.
    """
    digest = hashlib.blake2b(f"{job}|{nominal_ms}|{trigger_key}".encode(), digest_size=10).digest()
    return "run_" + ulid(nominal_ms, digest)


def instant_of(identifier: str) -> int:
    """The epoch milliseconds inside a prefixed ULID. ValueError if it is none."""
    digits = identifier.rpartition("_")[2]
    if len(digits) != _TIME_DIGITS + _RANDOM_DIGITS or any(digit not in _VALUES for digit in digits):
        raise ValueError(f"not a ULID: {identifier!r}")
    value = 0
    for digit in digits[:_TIME_DIGITS]:
        value = value * 32 + _VALUES[digit]
    return value


def is_id(identifier: str, prefix: str) -> bool:
    """Whether this is `prefix` and a ULID: what cannot be an id is never looked up."""
    if not identifier.startswith(prefix + "_") or len(identifier) != len(prefix) + 27:
        return False
    return all(digit in _VALUES for digit in identifier[len(prefix) + 1 :])


def bucket_of(identifier: str, buckets: int) -> int:
    """A stable bucket in [0, buckets): the shard of a job, or the partition of a run."""
    return zlib.crc32(identifier.encode()) % buckets
