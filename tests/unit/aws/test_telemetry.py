"""Lines for CloudWatch: what an alarm stands on must be in them, whatever is logged otherwise."""

import json

import pytest

from chalicelib.aws.telemetry import LogTelemetry


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR"])
def test_a_metric_is_a_line_of_its_own_at_every_log_level(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    LogTelemetry("chronos", level, "prod").count("dispatchers_alive", 4)
    line = json.loads(capsys.readouterr().out)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Chronos",
            "Dimensions": [["stage"]],
            "Metrics": [{"Name": "dispatchers_alive", "Unit": "Count"}],
        }
    ]
    assert (line["stage"], line["dispatchers_alive"]) == ("prod", 4)
    assert line["level"] == "ERROR", "the highest level that a stage may be set to lets it pass"
