"""The line between a worker and the executor of an attempt: a wish to stop goes one way, progress the other."""

from chalicelib.domain.progress import Progress
from chalicelib.ports.stop import Stop


class Contact(Stop):
    """`latest` is what was reported last, None before the first report. Either side may use it from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.latest: Progress | None = None

    def report(self, progress: Progress) -> None:
        """How far the attempt has come. It is stored with the attempt's next heartbeat, or with its end."""
        self.latest = progress
