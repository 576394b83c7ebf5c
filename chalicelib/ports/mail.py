"""Mail to people."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """Plain text to one address. The text may hold a secret: it is not to be logged."""

    to: str
    subject: str
    text: str = field(repr=False)


class Mailer(Protocol):
    """Sends, or does not: a mail is never certain to arrive."""

    def send(self, mail: Mail) -> None:
        """Unavailable if it was not taken."""
        ...
