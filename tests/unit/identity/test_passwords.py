"""Passwords: the hash is argon2id with OWASP's parameters."""

from chalicelib.identity.passwords import OWASP, Cost, hashed, is_outdated, matches

SALT = bytes(range(16))
CHEAP = Cost(memory=8, passes=1)


def test_a_hash_says_how_it_was_made() -> None:
    assert hashed("secret", SALT).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (OWASP.memory, OWASP.passes, OWASP.lanes) == (19456, 2, 1)


def test_only_the_password_itself_matches() -> None:
    phc = hashed("correct horse", SALT, CHEAP)
    assert matches("correct horse", phc)
    assert not any(matches(other, phc) for other in ("Correct horse", "correct horse ", ""))


def test_the_same_password_has_another_hash_with_another_salt() -> None:
    assert hashed("secret", SALT, CHEAP) != hashed("secret", SALT[::-1], CHEAP)


def test_a_hash_of_other_parameters_is_to_be_made_anew() -> None:
    assert is_outdated(hashed("secret", SALT, CHEAP))
    assert not is_outdated(hashed("secret", SALT))
