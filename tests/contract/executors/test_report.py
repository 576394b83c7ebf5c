"""report jobs: from a real PostgreSQL and local HTTP servers into files that are opened again."""

import csv
import email
import io
import json
import threading
import time
from dataclasses import replace
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.outputs import NoOutputs
from tests.support.calls import LOOPBACK, RUN_ID, call_of, perform
from tests.support.doubles import MemoryOutputs, ScriptedCloud
from tests.support.http_servers import Talk, answering, serving
from tests.support.services import HOST, require

ROWS = [
    {"day": "2026-05-01", "orders": 12, "note": "Größe & <b>Maß</b>"},
    {"day": "2026-05-02", "orders": 7.5, "note": '=HYPERLINK("http://evil.example","x")'},
    {"day": "2026-05-03", "orders": None, "note": {"a": [1]}},
]
MAIL = {
    "role_arn": "arn:aws:iam::123456789012:role/mail",
    "region": "eu-central-1",
    "sender": "chronos@example.com",
    "to": ["one@example.com", "two@example.com"],
}


def sql(text: str, **others: Any) -> dict[str, Any]:
    """A section of what a query finds."""
    place = {"engine": "postgresql", "host": HOST, "database": "test", "user": "root", "tls": None}
    return {
        "title": "Rows",
        "source": {"kind": "query", "connection": place, "query": {"sql": text}},
        **others,
    }


def url(address: str, **others: Any) -> dict[str, Any]:
    """A section of a document."""
    pointer = others.pop("pointer", "")
    return {"title": "Rows", "source": {"kind": "http", "url": address, "pointer": pointer}, **others}


def made(format_: str, *sections: dict[str, Any], **others: Any) -> tuple[Outcome, MemoryOutputs]:
    """The outcome of one attempt, and the files that it has stored."""
    outputs = others.pop("outputs", MemoryOutputs())
    given = {name: others.pop(name) for name in ("settings", "cloud", "seconds") if name in others}
    config = {"title": "Orders", "format": format_, "sections": list(sections), **others}
    return perform(call_of("report", config, outputs=outputs, **given), "report"), outputs


def of_rows(format_: str, rows: Any = ROWS, **section: Any) -> bytes:
    """The file of a document's rows."""
    others = {name: section.pop(name) for name in ("mail", "cloud", "title_") if name in section}
    with serving(answering("200 OK", json.dumps(rows).encode())) as server:
        found, outputs = made(format_, url(server.url(), **section), **others)
    assert isinstance(found, Succeeded), found
    return outputs.files[f"report.{format_}"]


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


def _pages(file: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(file)).pages]


def _book(file: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(file))


def test_a_query_becomes_a_csv_file() -> None:
    require("postgresql")
    query = sql(
        "SELECT n, n * 1.5 AS half, NULL AS none, true AS flag, 'a,\"b' AS text FROM generate_series(1, 2) n"
    )
    found, outputs = made("csv", query)
    assert found == Succeeded({"rows": [2], "output": {"name": "report.csv", "bytes": 63}})
    rows = list(csv.reader(io.StringIO(outputs.files["report.csv"].decode())))
    assert rows == [
        ["n", "half", "none", "flag", "text"],
        ["1", "1.5", "", "yes", 'a,"b'],
        ["2", "3.0", "", "yes", 'a,"b'],
    ]
    assert outputs.media_types == {"report.csv": "text/csv; charset=utf-8"}


def test_a_query_cannot_change_anything() -> None:
    require("postgresql")
    failed = _failure(made("csv", sql("CREATE TABLE report_test (n int)"))[0])
    assert failed.kind == "database"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "=cmd|' /C calc'!A0",
     "＝1+1"],
)  # fmt: skip
def test_no_formula_is_in_a_csv_file(text: str) -> None:
    [titles, [cell]] = list(csv.reader(io.StringIO(of_rows("csv", [{text: text}]).decode(), newline="")))
    for each in (*titles, cell):
        assert each.startswith("'")
        assert each[1:].strip() == text.strip()


def test_numbers_stay_numbers_in_a_csv_file() -> None:
    rows = list(
        csv.reader(io.StringIO(of_rows("csv", [{"a": -5, "b": -0.5, "c": "plain", "d": ""}]).decode()))
    )
    assert rows[1] == ["-5", "-0.5", "plain", ""]


def test_a_workbook_has_a_sheet_for_each_section_and_no_formula() -> None:
    with serving(answering("200 OK", json.dumps(ROWS).encode())) as server:
        sections = [
            url(server.url()) | {"title": title} for title in ("A[b]:c?", "a b  c", "x" * 60, "x" * 60)
        ]
        found, outputs = made("xlsx", *sections)
    assert isinstance(found, Succeeded)
    book = _book(outputs.files["report.xlsx"])
    assert len({name.lower() for name in book.sheetnames}) == 4
    assert all(len(name) <= 31 for name in book.sheetnames)
    cells = [[cell.value for cell in row] for row in book.worksheets[0].rows]
    assert cells == [
        ["day", "orders", "note"],
        ["2026-05-01", 12, "Größe & <b>Maß</b>"],
        ["2026-05-02", 7.5, '=HYPERLINK("http://evil.example","x")'],
        ["2026-05-03", None, '{"a": [1]}'],
    ]
    assert {cell.data_type for row in book.worksheets[0].rows for cell in row} == {"s", "n"}
    assert not [cell for row in book.worksheets[0].rows for cell in row if cell.hyperlink]


def test_a_number_that_excel_would_round_is_text() -> None:
    sheet = _book(of_rows("xlsx", [{"iban": 12345678901234567890, "n": 123456789012345}])).worksheets[0]
    assert [cell.value for cell in sheet[2]] == ["12345678901234567890", 123456789012345]


@pytest.mark.parametrize("kind", ["bar", "line", "pie"])
def test_a_workbook_has_its_charts(kind: str) -> None:
    chart = {"kind": kind, "labels": "day", "values": ["orders"]}
    book = _book(of_rows("xlsx", ROWS, chart=chart, columns=[{"field": "note"}]))
    assert len(book.worksheets[0]._charts) == 1
    assert [cell.value for cell in book.worksheets[1]["B"]] == [12, 7.5, 0]
    assert book.worksheets[1].sheet_state == "hidden"


def test_a_pdf_has_title_head_table_and_page_numbers() -> None:
    rows = [{"n": number, "text": f"row {number}"} for number in range(200)]
    pages = _pages(of_rows("pdf", rows))
    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert f"{number} / {len(pages)}" in page
        assert "Orders" in page
        assert "2026-05-01T12:00:00Z" in page
        assert "text" in page.splitlines()[2:5] or number == 1, "the table's head is on each page"
    text = "\n".join(pages)
    assert all(f"row {number}\n" in text for number in range(200))


@pytest.mark.parametrize("kind", ["bar", "line", "pie"])
def test_a_pdf_has_its_charts(kind: str) -> None:
    chart = {"kind": kind, "labels": "day", "values": ["orders"]}
    [page] = _pages(of_rows("pdf", ROWS, chart=chart, columns=[{"field": "orders", "title": "How many"}]))
    assert "2026-05-01" in page, "a label of the chart"
    assert "How many" in page


@pytest.mark.parametrize("rows", [[], [{"day": "x", "orders": 0}]], ids=["none", "zero"])
@pytest.mark.parametrize("kind", ["bar", "line", "pie"])
@pytest.mark.parametrize("format_", ["pdf", "html", "xlsx"])
def test_a_chart_of_nothing_is_no_failure(format_: str, kind: str, rows: list[Any]) -> None:
    columns = [{"field": "day"}, {"field": "orders"}]
    chart = {"kind": kind, "labels": "day", "values": ["orders"]}
    assert of_rows(format_, rows, chart=chart, columns=columns)


def test_markup_in_a_pdf_is_text() -> None:
    trap = '<img src="http://127.0.0.1:9/x.png"/><a href="http://evil.example">x</a><br/>&lt;'
    file = of_rows("pdf", [{trap: trap}])
    assert '<img src="http://127.0.0.1:9/' in "".join(_pages(file)).replace("\n", "")
    [page] = PdfReader(io.BytesIO(file)).pages
    assert "/Annots" not in page
    assert not list(page["/Resources"].get("/XObject", {}))


def test_a_pdf_shows_what_its_font_has_and_the_rest_as_well_as_it_can() -> None:
    [page] = _pages(
        of_rows("pdf", [{"a": "Größe ñ € – ‘x’", "b": "Dvořák Łódź Őr", "c": "Жук 中", "d": "e\u0301"}])
    )
    assert "Größe ñ € – ‘x’" in page
    assert "Dvorák Łódz Or" in page
    assert "??? ?" in page


def test_long_text_is_wrapped_and_cut() -> None:
    [page] = _pages(of_rows("pdf", [{"a": "x" * 5000, "b": "word " * 1000, "c": "1\n2\n3"}]))
    assert 100 < page.count("x") < 2000
    assert "…" in page


class _Tags(HTMLParser):
    """All that a page consists of."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_html_page_shows_everything_as_text_and_fetches_nothing() -> None:
    trap = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'<svg onload=x>"
    chart = {"kind": "bar", "labels": "l", "values": ["n"]}
    page = of_rows("html", [{trap: trap, "l": trap, "n": 1}], chart=chart, title=trap)
    found = _Tags(page)
    assert not found.tags & {"script", "img", "a", "link", "iframe", "object", "image", "use"}
    assert not [name for name in found.names if name.startswith("on") or name in {"src", "href"}]
    assert found.text.count(trap) >= 3
    assert b"default-src 'none'" in page


def test_only_the_wanted_columns_are_shown_in_their_order() -> None:
    columns = [{"field": "orders", "title": "Orders"}, {"field": "day"}, {"field": "no_row_has_it"}]
    rows = list(csv.reader(io.StringIO(of_rows("csv", ROWS, columns=columns).decode())))
    assert rows[:2] == [["Orders", "day", "no_row_has_it"], ["12", "2026-05-01", ""]]


def test_a_pointer_finds_the_list() -> None:
    document = {"a/b": [{"items": [{"n": 1}]}]}
    with serving(answering("200 OK", json.dumps(document).encode())) as server:
        _, outputs = made("csv", url(server.url(), pointer="/a~1b/0/items"))
    assert outputs.files["report.csv"] == b"n\r\n1\r\n"


@pytest.mark.parametrize(
    ("rows", "section", "said"),
    [
        (5, {}, "there is no list of objects"),
        ([1, 2], {}, "there is no list of objects"),
        ({"items": []}, {"pointer": "/other"}, "there is no list of objects"),
        ([{"n": 1}] * 3, {"max_rows": 2}, "more than 2 rows"),
        ([{"n": "x"}], {"chart": {"kind": "bar", "labels": "n", "values": ["n"]}}, "what is no number"),
        ([{"n": 1e400}], {"chart": {"kind": "bar", "labels": "n", "values": ["n"]}}, "no JSON"),
        (
            [{"n": 1}],
            {"chart": {"kind": "bar", "labels": "x", "values": ["n"]}},
            "field 'x' is not in the source",
        ),
    ],
)
def test_what_makes_no_report_is_told(rows: Any, section: dict[str, Any], said: str) -> None:
    body = b"[{" if said == "no JSON" else json.dumps(rows).encode()
    with serving(answering("200 OK", body)) as server:
        found, outputs = made("html", url(server.url(), **section))
    failed = _failure(found)
    assert (failed.kind, failed.retryable) == ("output", False)
    assert said in failed.message
    assert not outputs.files


def test_a_query_without_a_wanted_column_is_told() -> None:
    require("postgresql")
    failed = _failure(made("csv", sql("SELECT 1 AS n", columns=[{"field": "m"}]))[0])
    assert (failed.kind, "no field 'm'" in failed.message) == ("output", True)


def test_a_pdf_of_too_many_cells_is_refused() -> None:
    rows = [{f"c{place}": 1 for place in range(50)}] * 1300
    with serving(answering("200 OK", json.dumps(rows).encode())) as server:
        failed = _failure(made("pdf", url(server.url()))[0])
    assert (failed.kind, failed.retryable) == ("output", False)
    assert "65000" in failed.message


def test_a_document_that_is_too_large_is_refused() -> None:
    with serving(answering("200 OK", b" " * 8_400_000)) as server:
        failed = _failure(made("csv", url(server.url()))[0])
    assert (failed.kind, failed.retryable) == ("output", False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("404 Not Found", "http_4xx"),
        ("429 Slow", "http_429"),
        ("500 Oops", "http_5xx"),
        ("302 Go", "http_unexpected"),
    ],
)
def test_a_source_that_answers_otherwise_is_a_typed_failure(status: str, kind: str) -> None:
    with serving(answering(status)) as server:
        failed = _failure(made("csv", url(server.url()))[0])
    assert (failed.kind, failed.status) == (kind, int(status[:3]))


def test_a_source_that_breaks_off_is_a_connection_failure() -> None:
    def script(talk: Talk) -> None:
        talk.read()

    with serving(script) as server:
        assert _failure(made("csv", url(server.url()))[0]).kind == "connection"


@pytest.mark.parametrize("section", [url("http://127.0.0.1:9/"), sql("SELECT 1")], ids=["http", "query"])
def test_a_source_at_a_private_address_is_not_dialled(section: dict[str, Any]) -> None:
    assert _failure(made("csv", section, settings=ExecutorSettings())[0]).kind == "forbidden_target"


def test_the_deadline_and_the_wish_to_stop_hold_while_a_source_drips() -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.drip(b"HTTP/1.1 200 OK\r\n", every_seconds=0.05)

    with serving(script) as server:
        began = time.monotonic()
        assert _failure(made("csv", url(server.url()), seconds=0.5)[0]).kind == "timeout"
        config = {"title": "t", "format": "csv", "sections": [url(server.url())]}
        call = call_of("report", config, outputs=MemoryOutputs(), seconds=60)
        threading.Timer(0.3, call.stop.want).start()
        assert _failure(perform(call, "report")).kind == "timeout"
        assert time.monotonic() - began < 8


def test_the_deadline_holds_while_the_file_is_made() -> None:
    rows = [{f"c{place}": "some text" for place in range(20)}] * 3000
    with serving(answering("200 OK", json.dumps(rows).encode())) as server:
        began = time.monotonic()
        found, outputs = made("pdf", url(server.url()), seconds=1)
    assert _failure(found).kind == "timeout"
    assert time.monotonic() - began < 8
    assert not outputs.files


@pytest.mark.parametrize("if_empty", ["make", "skip", "fail"])
def test_a_report_without_rows_is_made_skipped_or_fails(if_empty: str) -> None:
    with serving(answering("200 OK", b"[]")) as server:
        found, outputs = made("pdf", url(server.url()), if_empty=if_empty)
    if if_empty == "make":
        assert "No rows." in _pages(outputs.files["report.pdf"])[0]
    elif if_empty == "skip":
        assert found == Succeeded({"rows": [0], "skipped": True})
    else:
        assert _failure(found).kind == "condition"
    assert bool(outputs.files) == (if_empty == "make")


def test_the_file_is_mailed_by_the_owners_role() -> None:
    cloud = ScriptedCloud().on("sesv2", "send_email", {"MessageId": "m1"})
    of_rows("pdf", ROWS, mail=MAIL | {"text": "See below."}, cloud=cloud)
    [asked] = cloud.asked
    assert (asked.role_arn, asked.region) == (MAIL["role_arn"], "eu-central-1")
    assert asked.parameters["FromEmailAddress"] == "chronos@example.com"
    assert asked.parameters["Destination"] == {"ToAddresses": MAIL["to"]}
    mail = email.message_from_bytes(asked.parameters["Content"]["Raw"]["Data"], policy=default)
    assert (mail["Subject"], mail["X-Chronos-Run-Id"]) == ("Orders", RUN_ID)
    [text, attached] = mail.iter_parts()
    assert text.get_content().strip() == "See below."
    assert (attached.get_filename(), attached.get_content_type()) == ("report.pdf", "application/pdf")
    assert attached.get_content().startswith(b"%PDF")


@pytest.mark.parametrize(("format_", "type_"), [("csv", "text/csv"), ("html", "text/html")])
def test_text_is_mailed_byte_by_byte(format_: str, type_: str) -> None:
    cloud = ScriptedCloud().on("sesv2", "send_email", {"MessageId": "m1"})
    file = of_rows(format_, ROWS, mail=MAIL, cloud=cloud)
    mail = email.message_from_bytes(cloud.asked[0].parameters["Content"]["Raw"]["Data"], policy=default)
    [_, attached] = mail.iter_parts()
    assert attached.get_content_type() == type_
    assert attached.get_payload(decode=True) == file


def test_a_mail_that_cannot_be_sent_is_a_failure_though_the_file_is_stored() -> None:
    cloud = ScriptedCloud(refused=CloudError("AccessDenied", "The role does not let us in.", status=403))
    with serving(answering("200 OK", b"[]")) as server:
        found, outputs = made("csv", url(server.url(), columns=[{"field": "n"}]), mail=MAIL, cloud=cloud)
    failed = _failure(found)
    assert (failed.kind, failed.status, failed.retryable) == ("cloud", 403, False)
    assert "stored, but not mailed" in failed.message
    assert outputs.files


def test_a_file_that_is_too_large_for_a_mail_is_told() -> None:
    rows = [{"a": "x" * 1900} for _ in range(4000)]
    with serving(answering("200 OK", json.dumps(rows).encode())) as server:
        failed = _failure(made("csv", url(server.url()), mail=MAIL)[0])
    assert (failed.kind, "too many for a mail" in failed.message) == ("output", True)


def test_a_deployment_without_a_place_for_files_says_so() -> None:
    with serving(answering("200 OK", b"[]")) as server:
        failed = _failure(made("csv", url(server.url()), outputs=NoOutputs())[0])
        refusing = MemoryOutputs()
        refusing.failures.append(Unavailable("Not now."))
        assert _failure(made("csv", url(server.url()), outputs=refusing)[0]).kind == "output"
    assert failed.kind == "output"


def test_a_missing_file_of_authorities_ends_as_a_failure() -> None:
    wrong = replace(LOOPBACK, ca_file="/no/such/file")
    assert _failure(made("csv", url("http://127.0.0.1:9/"), settings=wrong)[0]).kind in {
        "unknown",
        "connection",
    }
