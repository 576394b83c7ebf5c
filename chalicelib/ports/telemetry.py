"""What the engine tells its operators: sentences with fields, and numbers."""

from typing import Any, Protocol


class Telemetry(Protocol):
    """Logs and metrics. It never raises, and it is never given a secret."""

    def info(self, sentence: str, **fields: Any) -> None: ...

    def warning(self, sentence: str, **fields: Any) -> None: ...

    def count(self, name: str, value: int) -> None:
        """A metric: this much of `name`, at this moment. Alarms may stand on it, so names are for good."""
        ...
