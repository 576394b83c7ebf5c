"""The `report` type: where rows come from, how they are shown, and who gets them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.report.origins import FromQuery, FromRuns, FromUrl, Line, Part

MAX_SECTIONS = 10
MAX_COLUMNS = 50
MAX_ROWS = 100_000
MAX_PDF_ROWS = 5_000
"""Of all sections together: some 130 pages."""
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


def _mailbox(address: str) -> str:
    if len(address) > 254 or not _MAILBOX.fullmatch(address):
        raise ValueError("must be a plain mail address, such as someone@example.com")
    return address


Mailbox = Annotated[str, Field(max_length=254), AfterValidator(_mailbox)]
FieldName = Annotated[str, Field(min_length=1, max_length=128)]


class Column(Part):
    """One column."""

    field: FieldName = Field(description="Of the rows: a column of the query, a member of the objects.")
    title: Line | None = Field(None, description="Above it. Default: the field.")


class Chart(Part):
    """A chart above the table."""

    kind: Literal["bar", "line", "pie"] = Field(description="What it looks like.")
    labels: FieldName = Field(description="The field with the labels.")
    values: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=5)] = Field(
        description="1 to 5 fields with numbers; of a pie, one."
    )

    @model_validator(mode="after")
    def _a_pie_has_one(self) -> "Chart":
        if self.kind == "pie" and len(self.values) > 1:
            raise ValueError("a pie shows one field of values")
        return self


class Section(Part):
    """A table, perhaps with a chart: a sheet in Excel."""

    title: Line = Field(description="Above it.")
    source: Annotated[FromQuery | FromUrl | FromRuns, Field(discriminator="kind")] = Field(
        description="Where its rows are."
    )
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=MAX_COLUMNS)] | None = Field(
        None, description="What is shown, in this order. Default: all, as the source has them, at most 50."
    )
    chart: Chart | None = Field(None, description="Its first 50 rows as a chart; not in CSV.")
    max_rows: int = Field(MAX_PDF_ROWS, ge=1, le=MAX_ROWS, description="More rows are a failure.")


class Mail(Part):
    """The file as an attachment, sent by Amazon SES as a role of the job's owner."""

    role_arn: str = Field(
        max_length=2048,
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        description="The role that may send. Its owner lets Chronos assume it, with the tenant as external id.",
    )
    region: str = Field(
        pattern=r"^[a-z]{2}(-[a-z]{1,12}){1,3}-[0-9]{1,2}$", description="Where SES is, such as eu-central-1."
    )
    sender: Mailbox = Field(description="From whom; SES must know it.")
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=50)] = Field(
        description="1 to 50 addresses."
    )
    subject: Line | None = Field(None, description="Default: the report's title.")
    text: str = Field("", max_length=10_000, description="Plain text above the attachment.")


class Config(Part):
    """A report."""

    title: Line = Field(description="On its first page, and the mail's subject.")
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=MAX_SECTIONS)] = Field(
        description="1 to 10 tables."
    )
    format: Literal["pdf", "xlsx", "csv", "html"] = Field(
        description="What is made. A CSV file has one section."
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,95}$")] = Field(
        "report", description="The file's name, without its ending."
    )
    landscape: bool = Field(default=False, description="A PDF's pages lie on their side.")
    if_empty: Literal["make", "skip", "fail"] = Field(
        "make", description="When no section has a row: make the report all the same, make none, or fail."
    )
    mail: Mail | None = Field(None, description="Who gets it. Default: nobody, it is only stored.")

    @model_validator(mode="after")
    def _its_parts_fit(self) -> "Config":
        if self.format == "csv" and len(self.sections) > 1:
            raise ValueError("a CSV file has one section")
        if self.format == "pdf" and sum(section.max_rows for section in self.sections) > MAX_PDF_ROWS:
            raise ValueError(f"a PDF has at most {MAX_PDF_ROWS} rows: give its sections smaller max_rows")
        return self

    @property
    def file_name(self) -> str:
        return f"{self.name}.{self.format}"


def target(config: Mapping[str, Any]) -> str | None:
    """The host of the first section's source."""
    try:
        return Section.model_validate(config["sections"][0]).source.host
    except (KeyError, IndexError, TypeError, ValueError):
        return None


_ORDERS: dict[str, Any] = {
    "kind": "query",
    "connection": {"engine": "postgresql", "host": "db.example.com", "database": "shop", "user": "reader"},
    "query": {"sql": "SELECT day, orders, revenue FROM daily_orders ORDER BY day DESC LIMIT 30"},
}
SPEC = ExecutorSpec(
    target=target,
    type="report",
    config=Config,
    title="Report",
    description="Makes a PDF, Excel, CSV or HTML file from queries, JSON documents and runs, stores it, and mails it.",
    example={
        "title": "Orders of the month",
        "format": "pdf",
        "sections": [
            {
                "title": "Orders by day",
                "source": _ORDERS,
                "columns": [{"field": "day", "title": "Day"}, {"field": "orders", "title": "Orders"}],
                "chart": {"kind": "bar", "labels": "day", "values": ["orders"]},
            }
        ],
    },
    permissions=(
        Permission("To reach its sources: public addresses, or those of networks that the operator allows."),
        Permission("To send mail, as the role that the job names.", ("ses:SendRawEmail", "ses:SendEmail")),
    ),
    errors=(
        "connection",
        "authentication",
        "database",
        "database_conflict",
        "http_4xx",
        "http_5xx",
        "http_429",
        "http_unexpected",
        "condition",
        "output",
        "file",
        "cloud",
        "forbidden_target",
    ),
    limits=(
        "10 sections of 100,000 rows and 50 columns, 16 MB of text; 5,000 rows or 60,000 cells in a PDF.",
        "PDF shows Latin letters of Western Europe; of others it drops the accents, or shows a question mark.",
        "A mail takes a file of 7 MB.",
        "Of runs, 100,000 are looked at for a section, in a window of at most 400 days.",
    ),
    examples={
        "Failures of the week, day by day, by mail": {
            "name": "failures-of-the-week",
            "schedule": {"kind": "cron", "expression": "0 0 7 * * MON"},
            "timeout_seconds": 300,
            "config": {
                "title": "Last week's failures",
                "format": "html",
                "sections": [
                    {
                        "title": "Day by day",
                        "source": {"kind": "runs", "last": "P7D", "per": "day", "timezone": "Europe/Berlin"},
                        "chart": {"kind": "bar", "labels": "day", "values": ["succeeded", "failed"]},
                    },
                    {
                        "title": "What failed",
                        "source": {"kind": "runs", "last": "P7D", "status": ["FAILED", "TIMED_OUT"]},
                        "columns": [{"field": "job"}, {"field": "nominal_at"}, {"field": "error_kind"}],
                    },
                ],
                "mail": {
                    "role_arn": "arn:aws:iam::123456789012:role/chronos-mail",
                    "region": "eu-central-1",
                    "sender": "chronos@example.com",
                    "to": ["team@example.com"],
                },
            },
        }
    },
)
