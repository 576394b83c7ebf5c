"""What an attempt tells is kept within bounds, and nothing that it tells raises."""

from typing import Any

import pytest

from chalicelib.domain.masking import Masks
from chalicelib.ports.run_log import MAX_BYTES, MAX_FIELDS, MAX_LINES, MAX_MESSAGE, LogLine, RunLog


def one_line(message: Any, **fields: Any) -> LogLine:
    log = RunLog(lambda: 7)
    log.info(message, **fields)
    (line,) = log.drain()
    return line


def test_lines_are_drained_once_in_order() -> None:
    log = RunLog(lambda: 7)
    log.debug("a")
    log.error("b", rows=3)
    assert log.drain() == [LogLine(7, "debug", "a"), LogLine(7, "error", "b", {"rows": 3})]
    assert (log.drain(), log.is_empty) == ([], True)


def test_fields_are_kept_as_they_were_when_they_were_told() -> None:
    rows = [1]
    log = RunLog()
    log.warning("a", rows=rows)
    rows.append(2)
    assert log.drain()[0].fields == {"rows": [1]}


def loop() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "kept", "why"),
    [
        (b"x", {"v": "b'x'"}, "what JSON has no word for is told as text"),
        (float("nan"), {"unreadable": "ValueError"}, "JSON has no NaN"),
        (loop(), {"unreadable": "ValueError"}, "it has no end"),
        ("\ud800", {"v": "?"}, "a lone surrogate has no UTF-8"),
        ("x" * MAX_FIELDS, {"cut": '{"v": "' + "x" * (MAX_FIELDS - 7)}, "too long: its beginning is kept"),
    ],
)
def test_fields_of_any_kind_are_made_small_json(value: Any, kept: dict[str, Any], why: str) -> None:
    assert one_line("a", v=value).fields == kept, why


@pytest.mark.parametrize(
    ("message", "kept"),
    [("x" * (MAX_MESSAGE + 1), "x" * MAX_MESSAGE), ("\udfff", "?"), (None, "None")],
    ids=["too long", "a lone surrogate", "no text"],
)
def test_a_message_of_any_kind_is_kept_as_text(message: Any, kept: str) -> None:
    assert one_line(message).message == kept


def test_an_attempt_has_so_many_lines_also_if_they_are_drained_meanwhile() -> None:
    log = RunLog()
    for number in range(MAX_LINES + 5):
        log.info(str(number))
        if number == MAX_LINES // 2:
            log.drain()
    assert (log.dropped, log.drain()[-1].message) == (5, str(MAX_LINES - 1))


def test_an_attempt_has_so_many_bytes() -> None:
    log = RunLog()
    for _ in range(MAX_LINES):
        log.info("ä" * MAX_MESSAGE)
    assert 200 < len(log.drain()) == MAX_LINES - log.dropped <= MAX_BYTES // (2 * MAX_MESSAGE)


def test_a_secret_at_the_place_of_the_cut_is_blacked_out_whole() -> None:
    log = RunLog()
    log.masks = Masks(["hunter2hunter2"])
    log.info("x" * (MAX_MESSAGE - 7) + "hunter2hunter2", v="y" * (MAX_FIELDS - 14) + "hunter2hunter2!!!!")
    [line] = log.drain()
    assert line.message == "x" * (MAX_MESSAGE - 7) + "***"
    assert line.fields["cut"].endswith("y***!!!!")
