"""Logs as JSON lines for CloudWatch: a sentence and its fields; metrics as lines in CloudWatch's embedded format."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

NAMESPACE = "Chronos"
"""Of the metrics; their one dimension is the stage. infra/alarms.yaml names both."""


class LogTelemetry:
    """Telemetry on Powertools' logger."""

    def __init__(self, service: str, level: str, stage: str) -> None:
        from aws_lambda_powertools.logging import Logger

        self._stage = stage
        self._logger = Logger(service=service, level=level, utc=True, location=None)

    def info(self, sentence: str, **fields: Any) -> None:
        self._logger.info(sentence, extra=fields)

    def warning(self, sentence: str, **fields: Any) -> None:
        self._logger.warning(sentence, extra=fields)

    def count(self, name: str, value: int) -> None:
        sys.stdout.write(embedded(name, value, stage=self._stage, at=datetime.now(UTC)) + "\n")


def embedded(name: str, value: int, *, stage: str, at: datetime) -> str:
    """A line in CloudWatch's embedded format, which makes a metric of it.

    Lambda drops lines below the function's log level, and takes one without a level and a time for INFO: hence both.
    Powertools would add the service to the dimensions, and then no alarm on the stage would see it.
    """
    metric = {
        "Namespace": NAMESPACE,
        "Dimensions": [["stage"]],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    about = {"Timestamp": round(at.timestamp() * 1000), "CloudWatchMetrics": [metric]}
    line = {"level": "ERROR", "timestamp": at.isoformat(), "_aws": about, "stage": stage, name: value}
    return json.dumps(line, separators=(",", ":"))
