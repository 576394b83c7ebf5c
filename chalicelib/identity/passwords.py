"""Passwords: what one must be (NIST SP 800-63B), and argon2id with the parameters of OWASP's cheat sheet."""

import unicodedata
from dataclasses import dataclass

from chalicelib.domain.errors import FieldProblem


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: memory in KiB, passes over it, and lanes."""

    memory: int = 19_456
    passes: int = 2
    lanes: int = 1


OWASP = Cost()
_SALT_BYTES, _HASH_BYTES = 16, 32
SHORTEST, LONGEST = 12, 128
_KINDS = 5
"""So many different characters at least: less is a pattern."""
_FIRST_GUESSES = """
123456789012 1234567890123 12345678901234 123456789123 1234567890ab 123123123123 112233445566 password1234
password12345 password123456 passwordpassword password123! mypassword123 newpassword123 qwertyuiop12
qwertyuiop123 qwerty123456 qwertyqwerty qwertyuiopasdf 1q2w3e4r5t6y 1qaz2wsx3edc asdfghjkl123 abcdefghijkl
abcdefghijklm abcdef123456 abc123abc123 iloveyou1234 iloveyouiloveyou letmein12345 letmeinletmein
welcome12345 welcome123456 administrator administrator1 admin1234567 adminadmin123 changeme1234
changemechangeme football1234 baseball1234 princess1234 sunshine1234 superman1234 trustno1trustno1
monkey123456 dragon123456
"""
_COMMON = frozenset(_FIRST_GUESSES.split())


def problem_of(password: str, email: str, pointer: str = "/password") -> FieldProblem | None:
    """Why this cannot be a password: its length, or since it is among the first that anybody would guess."""
    plain = password.casefold()
    length = len(_prepared(password))
    if not SHORTEST <= length <= LONGEST:
        code = "too_short" if length < SHORTEST else "too_long"
        return FieldProblem(pointer, f"A password has {SHORTEST} to {LONGEST} characters.", code)
    if plain in (email.casefold(), email.casefold().partition("@")[0]):
        return FieldProblem(pointer, "The password must not be the address.", "common_password")
    if plain in _COMMON or len(set(plain)) < _KINDS:
        return FieldProblem(pointer, "This password is among the first to be guessed.", "common_password")
    return None


def _prepared(password: str) -> str:
    """One spelling for each text, whatever keyboard it comes from."""
    return unicodedata.normalize("NFKC", password)


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
    return function.derive_phc_encoded(_prepared(password).encode())


def matches(password: str, phc: str) -> bool:
    """Whether this is the password. It takes as long as making the hash did, whatever the answer."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(_prepared(password).encode(), phc)
    except InvalidKey:
        return False
    return True


def is_outdated(phc: str, cost: Cost = OWASP) -> bool:
    """Whether the hash was made with other parameters: it is made anew when its password is known next."""
    return f"$m={cost.memory},t={cost.passes},p={cost.lanes}$" not in phc


class Argon2:
    """The port Hashing."""

    def __init__(self, cost: Cost = OWASP) -> None:
        self._cost = cost

    def hashed(self, password: str, salt: bytes) -> str:
        return hashed(password, salt, self._cost)

    def matches(self, password: str, stored: str) -> bool:
        return matches(password, stored)

    def is_outdated(self, stored: str) -> bool:
        return is_outdated(stored, self._cost)
