"""Tokens of callbacks: what was signed comes back, and nothing else does."""

from base64 import urlsafe_b64encode

import pytest

from chalicelib.domain.callback_token import MAX_LENGTH, Claim, SigningKey, claim_of, key_id_of, signed

KEY, OTHER = SigningKey("k1", b"a" * 32), SigningKey("k2", b"b" * 32)
CLAIM = Claim("acme", "run_01KVB7TZ00F3Z9S8D0QX4Y1W2E", 3, 1_800_000_000)
TOKEN = signed(CLAIM, KEY)


def test_a_token_says_what_was_signed() -> None:
    assert claim_of(TOKEN, [KEY]) == CLAIM
    assert key_id_of(TOKEN) == "k1"


def test_a_token_is_safe_in_a_path_and_short() -> None:
    assert set(TOKEN) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    longest = Claim("t" * 64, CLAIM.run_id, 100, 10**11)
    assert len(TOKEN) < len(signed(longest, KEY)) < MAX_LENGTH


def test_a_former_key_is_good_as_long_as_it_is_kept() -> None:
    assert claim_of(TOKEN, [OTHER, KEY]) == CLAIM
    assert claim_of(TOKEN, [OTHER]) is None
    assert claim_of(TOKEN, []) is None


def test_no_character_can_be_changed_left_out_or_added() -> None:
    for place in range(len(TOKEN)):
        for instead in ("", "A", "B", "-", ".", "é", TOKEN[place] * 2):
            forged = TOKEN[:place] + instead + TOKEN[place + 1 :]
            assert forged == TOKEN or claim_of(forged, [KEY]) is None, place


def test_a_key_of_the_same_id_with_another_secret_does_not_do() -> None:
    assert claim_of(TOKEN, [SigningKey("k1", b"c" * 32)]) is None


def test_the_claim_of_one_token_does_not_go_with_the_signature_of_another() -> None:
    head, _, _ = signed(Claim("evil", CLAIM.run_id, 3, CLAIM.until_s), KEY).rpartition(".")
    assert claim_of(f"{head}.{TOKEN.rpartition('.')[2]}", [KEY]) is None


def test_a_signature_for_another_purpose_is_none() -> None:
    import hmac

    head = TOKEN.rpartition(".")[0]
    mac = urlsafe_b64encode(hmac.digest(KEY.secret, head.encode(), "sha256")).rstrip(b"=").decode()
    assert claim_of(f"{head}.{mac}", [KEY]) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("...", "empty parts"),
        ("v1.k1.W10", "a part is missing"),
        (f"{TOKEN}.x", "a part too many"),
        (TOKEN.replace("v1", "v2", 1), "another version"),
        (TOKEN + "A" * MAX_LENGTH, "too long"),
        ("v1.k1.\ud800.\ud800", "half a character"),
        ("v1.k1.%00.%00", "no base64"),
    ],
)
def test_what_is_no_token_is_none(text: str, why: str) -> None:
    assert claim_of(text, [KEY]) is None, why


def test_a_key_does_not_show_its_secret() -> None:
    assert "aaaa" not in repr(KEY)
