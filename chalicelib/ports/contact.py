"""The line between a worker and an attempt's executor: a wish to stop goes one way, progress and log the other."""

from dataclasses import replace

from chalicelib.domain.masking import Masks
from chalicelib.domain.progress import Progress
from chalicelib.ports.run_log import RunLog
from chalicelib.ports.stop import Stop


class Contact(Stop):
    """`latest` is what was reported last, None before the first report. Either side may use it from any thread.

    `log` collects the lines that the attempt tells. `masks` black out what a report must not show.
    """

    def __init__(self, log: RunLog | None = None) -> None:
        super().__init__()
        self.latest: Progress | None = None
        self.log = log or RunLog()
        self.masks = Masks()

    def report(self, progress: Progress) -> None:
        """How far the attempt has come. It is stored with the attempt's next heartbeat, or with its end."""
        if self.masks:
            message = progress.message and self.masks.text(progress.message)
            progress = replace(progress, message=message, data=self.masks.value(progress.data))
        self.latest = progress
