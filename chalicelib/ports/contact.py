"""The line between a worker and an attempt's executor: a wish to stop goes one way, progress and log the other."""

from chalicelib.domain.progress import Progress
from chalicelib.ports.run_log import RunLog
from chalicelib.ports.stop import Stop


class Contact(Stop):
    """`latest` is what was reported last, None before the first report. Either side may use it from any thread.

    `log` collects the lines that the attempt tells.
    """

    def __init__(self, log: RunLog | None = None) -> None:
        super().__init__()
        self.latest: Progress | None = None
        self.log = log or RunLog()

    def report(self, progress: Progress) -> None:
        """How far the attempt has come. It is stored with the attempt's next heartbeat, or with its end."""
        self.latest = progress
