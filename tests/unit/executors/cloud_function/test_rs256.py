"""Signatures that others can verify."""

import json
from base64 import urlsafe_b64decode
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chalicelib.executors.cloud_function.rs256 import signed


@cache
def key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat) -> str:
    return private.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("bits", [2048, 2050, 3072])
def test_a_token_is_what_a_library_verifies(bits: int) -> None:
    token = signed({"iss": "ä@b"}, pem(key(bits), PrivateFormat.PKCS8), "one")
    text, _, signature = token.rpartition(".")
    key(bits).public_key().verify(decoded(signature), text.encode(), PKCS1v15(), SHA256())
    header, claims = (json.loads(decoded(part)) for part in text.split("."))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "one"}
    assert claims == {"iss": "ä@b"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not in PKCS #8"),
        (pem(key(), PrivateFormat.TraditionalOpenSSL), "not in PKCS #8"),
        (pem(key(1024), PrivateFormat.PKCS8), "no RSA key of at least 2048 bits"),
        (
            pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.PKCS8),
            "no RSA key of at least 2048 bits",
        ),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", "no RSA key of at least 2048 bits"),
        ("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----", "no RSA key of at least 2048 bits"),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "no RSA key of at least 2048 bits"),
    ],
)
def test_what_is_no_such_key_is_refused_without_being_shown(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        signed({}, text)
