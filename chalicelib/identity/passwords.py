"""Passwords: argon2id with the parameters that OWASP's Password Storage Cheat Sheet asks for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: memory in KiB, passes over it, and lanes."""

    memory: int = 19_456
    passes: int = 2
    lanes: int = 1


OWASP = Cost()
_SALT_BYTES, _HASH_BYTES = 16, 32


def hashed(password: str, salt: bytes, cost: Cost = OWASP) -> str:
    """The password's hash with its salt (16 bytes) and parameters, as the PHC string format has them."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    function = Argon2id(
        salt=salt,
        length=_HASH_BYTES,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory,
    )
    return function.derive_phc_encoded(password.encode())


def matches(password: str, phc: str) -> bool:
    """Whether this is the password. It takes as long as making the hash did, whatever the answer."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(password.encode(), phc)
    except InvalidKey:
        return False
    return True


def is_outdated(phc: str, cost: Cost = OWASP) -> bool:
    """Whether the hash was made with other parameters: it is made anew when its password is known next."""
    return f"$m={cost.memory},t={cost.passes},p={cost.lanes}$" not in phc
