"""The port Mailer on SES."""

from collections.abc import Callable
from typing import Any

from chalicelib.aws.faults import Refused, translated
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.mail import Mail


class SesMailer:
    """Sends from one address, which SES must have verified, or its domain."""

    def __init__(self, client: Callable[[], Any], sender: str) -> None:
        self._client, self._sender = client, sender

    def send(self, mail: Mail) -> None:
        """SES refuses for good too: whoever asked for the mail is no better off with another kind of error."""
        simple = {"Subject": _text(mail.subject), "Body": {"Text": _text(mail.text)}}
        try:
            with translated("SES"):
                self._client().send_email(
                    FromEmailAddress=self._sender,
                    Destination={"ToAddresses": [mail.to]},
                    Content={"Simple": simple},
                )
        except Refused as refused:
            raise Unavailable(str(refused)) from refused


def _text(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
