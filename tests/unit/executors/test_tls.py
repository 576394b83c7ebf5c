"""TLS options of a job: what is trusted, what is shown, and what is refused."""

import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError

from chalicelib.executors.tls import TLS, UnusableTLS, context_of
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_it_verifies_certificates_and_names() -> None:
    context = context_of(TLS(), ca_file=None)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) > 50


def test_the_operators_authority_is_trusted_beside_the_public_ones(authority: Authority) -> None:
    context = context_of(TLS(), authority.settings.ca_file)
    assert "Test authority" in str(context.get_ca_certs())


def test_an_own_authority_is_trusted_alone(authority: Authority) -> None:
    pem = Path(str(authority.settings.ca_file)).read_text()
    assert len(context_of(TLS(ca=pem), ca_file=None).get_ca_certs()) == 1


def test_a_newer_version_can_be_demanded() -> None:
    assert context_of(TLS(minimum_version="1.3"), None).minimum_version == ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("tls", "why"),
    [
        (TLS(ca="-----BEGIN nonsense"), "no certificate"),
        (TLS(certificate="-----BEGIN a", key="-----BEGIN secret"), "neither"),
    ],
)
def test_pem_that_cannot_be_read_is_refused_without_being_shown(tls: TLS, why: str) -> None:
    with pytest.raises(UnusableTLS) as error:
        context_of(tls, None)
    assert "secret" not in str(error.value), why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"certificate": "-----BEGIN x"}, "no key"),
        ({"key": "-----BEGIN x"}, "no certificate"),
        ({"ca": "/etc/passwd"}, "a path is no PEM"),
        ({"minimum_version": "1.0"}, "too old"),
        ({"verify": False}, "there is no such thing"),
    ],
)
def test_what_is_no_tls_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError):
        TLS.model_validate(fields)


def test_the_key_is_not_in_its_repr() -> None:
    assert "secret" not in repr(TLS(certificate="-----BEGIN a", key="-----BEGIN secret"))
