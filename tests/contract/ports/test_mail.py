"""What a Mailer promises: the twin, SES as moto knows it, and as the emulator knows it with its outbox."""

from typing import Any

import pytest
import requests
from botocore.exceptions import EndpointConnectionError

from chalicelib.aws.mail import SesMailer
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.mail import Mail
from infra.local.fixtures import Stack
from infra.local.stack import DOMAIN
from tests.support.aws import emulated, moto
from tests.support.mailbox import MemoryMailer

MAIL = Mail("ada@example.com", "Grüße", "Ein Text\nmit Umlauten: ü, ß, 漢字")
"""Nothing of it is ASCII alone, so that a wrong encoding shows."""


def test_the_twin_keeps_what_is_sent() -> None:
    mailer = MemoryMailer()
    mailer.send(MAIL)
    assert mailer.sent == [MAIL]


def test_a_mail_is_sent_from_a_verified_sender_and_from_no_other() -> None:
    with moto() as client:
        ses = client("sesv2")
        ses.create_email_identity(EmailIdentity="example.org")
        SesMailer(lambda: ses, "chronos@example.org").send(MAIL)
        with pytest.raises(Unavailable, match="SES refused"):
            SesMailer(lambda: ses, "chronos@other.example").send(MAIL)


@pytest.mark.e2e
def test_the_outbox_of_the_emulator_shows_the_mail(stack: Stack) -> None:
    SesMailer(lambda: emulated("sesv2", stack.aws), f"chronos@{DOMAIN}").send(MAIL)
    inbox = requests.get(f"{stack.aws}/_ministack/ses/messages", timeout=30).json()["messages"]
    [found] = [mail for mails in inbox.values() for mail in mails if mail["Subject"] == MAIL.subject]
    assert (found["To"], found["BodyText"]) == ([MAIL.to], MAIL.text)


class Unreachable:
    """A client whose calls reach nobody."""

    def send_email(self, **_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://email.example.com")


def test_a_service_that_cannot_be_reached_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        SesMailer(Unreachable, "chronos@example.org").send(MAIL)


def test_what_is_printed_of_a_mail_has_no_text() -> None:
    assert MAIL.text not in repr(MAIL)
