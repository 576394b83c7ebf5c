"""Logs as JSON lines for CloudWatch: a sentence and its fields; metrics as lines in CloudWatch's embedded format."""

from typing import Any

NAMESPACE = "Chronos"
"""Of the metrics; their one dimension is the stage. infra/alarms.yaml names both."""


class LogTelemetry:
    """Telemetry on Powertools' logger and metrics, which are imported together anyway."""

    def __init__(self, service: str, level: str, stage: str) -> None:
        from aws_lambda_powertools.logging import Logger

        self._stage = stage
        self._logger = Logger(service=service, level=level, utc=True, location=None)

    def info(self, sentence: str, **fields: Any) -> None:
        self._logger.info(sentence, extra=fields)

    def warning(self, sentence: str, **fields: Any) -> None:
        self._logger.warning(sentence, extra=fields)

    def count(self, name: str, value: int) -> None:
        from aws_lambda_powertools.metrics import MetricUnit, single_metric

        dimensions = {"stage": self._stage}
        with single_metric(name, MetricUnit.Count, value, namespace=NAMESPACE, default_dimensions=dimensions):
            pass
