"""Carries out `report` jobs: reads the sources, makes the file, stores it, and mails it."""

from importlib import import_module
from typing import Any

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors import report as package
from chalicelib.executors.base import Call
from chalicelib.executors.database.failures import FAILURES, failed
from chalicelib.executors.database.session import TooLate
from chalicelib.executors.deadline import stopping_with
from chalicelib.executors.report.mail import send
from chalicelib.executors.report.sources import NoReport, table_of
from chalicelib.executors.report.spec import Config
from chalicelib.executors.report.tables import Report, TooMuch
from chalicelib.ports.cloud import CloudError

_MODULES = {"pdf": "pdf", "xlsx": "excel", "csv": "csv_file", "html": "html_page"}


def execute(call: Call) -> Outcome:
    """One report."""
    try:
        with stopping_with(call.stop):
            return _made(call, call.config)
    except TooLate:
        return Failed("timeout", "The time was up before the report was made.")
    except NoReport as error:
        return error.failed
    except TooMuch as error:
        return Failed("output", str(error), retryable=False)
    except CloudError as error:
        said = f"The report was stored, but not mailed. {error.message}"
        return Failed("cloud", said, status=error.status, retryable=error.retryable)
    except FAILURES as error:
        return failed(error)


def _made(call: Call, config: Config) -> Outcome:
    tables = tuple(table_of(call, section) for section in config.sections)
    report = Report(config.title, rfc3339(call.nominal_ms), tables, config.landscape)
    result: dict[str, Any] = {"rows": [len(table.rows) for table in tables]}
    if not report.rows and config.if_empty != "make":
        if config.if_empty == "fail":
            return Failed("condition", "No section has a row.", result=result)
        return Succeeded(result | {"skipped": True})
    module = import_module(f"{package.__name__}.{_MODULES[config.format]}")
    file = module.rendered(report, lambda: _look(call))
    _look(call)
    stored = call.outputs.store(config.file_name, [file], module.MEDIA_TYPE)
    result["output"] = {"name": stored.name, "bytes": stored.bytes}
    if config.mail is not None:
        result["mailed"] = {
            "to": len(config.mail.to),
            "id": send(call, config.mail, config, file, module.MEDIA_TYPE),
        }
    return Succeeded(result)


def _look(call: Call) -> None:
    if call.remaining() <= 0 or call.stop.is_wanted:
        raise TooLate
