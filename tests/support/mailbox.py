"""The twins of what people need: mail that is kept, and hashes that cost little and are counted."""

import re
from collections import deque

from chalicelib.identity.passwords import Argon2, Cost
from chalicelib.ports.mail import Mail

CHEAP = Cost(memory=8, passes=1)
_TOKEN = re.compile(r"chronos_\w+_[A-Za-z0-9_-]{43}")


class MemoryMailer:
    """Keeps what is sent. `failures` are raised first, one a mail."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failures: deque[Exception] = deque()

    def send(self, mail: Mail) -> None:
        if self.failures:
            raise self.failures.popleft()
        self.sent.append(mail)

    def token(self, to: str) -> str:
        """The one in the last mail to an address."""
        found = _TOKEN.search(next(mail.text for mail in reversed(self.sent) if mail.to == to))
        assert found, "the mail has a token"
        return found[0]

    def subjects(self, to: str) -> list[str]:
        return [mail.subject for mail in self.sent if mail.to == to]


class CheapHashing(Argon2):
    """argon2id with the smallest parameters; `count` says how often the work was done."""

    def __init__(self, cost: Cost = CHEAP) -> None:
        super().__init__(cost)
        self.count = 0

    def hashed(self, password: str, salt: bytes) -> str:
        self.count += 1
        return super().hashed(password, salt)

    def matches(self, password: str, stored: str) -> bool:
        self.count += 1
        return super().matches(password, stored)
