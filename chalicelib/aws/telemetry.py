"""Logs as JSON lines for CloudWatch: a sentence and its fields."""

from typing import Any


class LogTelemetry:
    """Telemetry on Powertools' logger."""

    def __init__(self, service: str, level: str) -> None:
        from aws_lambda_powertools.logging import Logger

        self._logger = Logger(service=service, level=level, utc=True, location=None)

    def info(self, sentence: str, **fields: Any) -> None:
        self._logger.info(sentence, extra=fields)

    def warning(self, sentence: str, **fields: Any) -> None:
        self._logger.warning(sentence, extra=fields)
