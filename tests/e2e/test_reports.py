"""Reports by the deployed worker: of the history of runs, and by mail through SES."""

import csv
import email
import io
from base64 import b64decode
from email.message import EmailMessage
from email.policy import default
from secrets import token_hex
from typing import Any

import pytest
import requests

from infra.local import job_role
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api, ms

pytestmark = pytest.mark.e2e
MANUAL = {"kind": "manual"}


def ran(api: Api, job: Any, *statuses: str) -> Any:
    """A run of the job that was asked for, at its end."""
    api.post(f"/jobs/{job['id']}/trigger")
    return api.finished(job, *statuses, seconds=60)


@pytest.fixture
def sender(stack: Stack) -> Any:
    """An address that SES lets jobs send from."""
    address = f"reports-{token_hex(4)}@example.com"
    stack.client("sesv2").create_email_identity(EmailIdentity=address)
    stack.client("ses").verify_email_identity(EmailAddress=address)
    yield address
    stack.client("ses").delete_identity(Identity=address)


def report(source: dict[str, Any], **others: Any) -> dict[str, Any]:
    """The fields of a job that makes a CSV file of runs."""
    sections = [{"title": "Runs", "source": {"kind": "runs", **source}}]
    config = {"title": "Runs of today", "format": "csv", "sections": sections, **others}
    return {"type": "report", "timeout_seconds": 60, "retry": {"max_attempts": 1}, "config": config}


def mails(stack: Stack, sender: str) -> list[Any]:
    """What the emulator's inbox has of this sender."""
    inbox = requests.get(f"{stack.aws}/_ministack/ses/messages", timeout=30).json()["messages"]
    return [each for found in inbox.values() for each in found if each["Source"] == sender]


@pytest.mark.parametrize("by", ["jobs", "names"])
def test_a_report_shows_the_runs_of_a_job(api: Api, by: str) -> None:
    name = f"reported {token_hex(4)}"
    watched = api.post(
        "/jobs", {"name": name, "type": "dummy", "schedule": MANUAL, "tags": {"kind": "watched"}}
    )
    run = ran(api, watched, "SUCCEEDED")
    wanted = (
        {"jobs": [watched["id"]], "tags": {"kind": "watched"}} if by == "jobs" else {"names": [name.upper()]}
    )
    made = ran(api, api.job(MANUAL, **report(wanted)), "SUCCEEDED", "FAILED")
    assert made["status"] == "SUCCEEDED", made["attempts"]
    [file] = api.get(f"/runs/{made['id']}/outputs")["items"]
    [row] = csv.DictReader(io.StringIO(requests.get(file["url"], timeout=30).text))
    assert (row["job"], row["run_id"], row["status"]) == (name, run["id"], "SUCCEEDED")
    assert row["trigger"] == "manual"
    assert float(row["seconds"]) == pytest.approx((ms(run["finished_at"]) - ms(run["started_at"])) / 1000)
    assert float(row["cost_usd"]) > 0


def test_a_report_arrives_by_mail_with_its_file(api: Api, stack: Stack, sender: str) -> None:
    to = ["one@example.com", "two@example.com"]
    mail = {
        "role_arn": job_role.ARN,
        "region": "us-east-1",
        "sender": sender,
        "to": to,
        "text": "As every day.",
    }
    run = ran(api, api.job(MANUAL, **report({"per": "day"}, mail=mail)), "SUCCEEDED", "FAILED")
    assert run["status"] == "SUCCEEDED", run["attempts"]
    [found] = mails(stack, sender)
    assert (found["To"], found["Subject"]) == (to, "Runs of today")
    assert found["MessageId"] == run["attempts"][0]["result"]["mailed"]["id"]
    parsed = email.message_from_bytes(b64decode(found["Raw"]), policy=default)
    assert isinstance(parsed, EmailMessage)
    assert str(parsed.get_body().get_content()).strip() == "As every day."  # type: ignore[union-attr]
    [attached] = parsed.iter_attachments()
    assert attached.get_filename() == "report.csv"
    [file] = api.get(f"/runs/{run['id']}/outputs")["items"]
    assert attached.get_payload(decode=True) == requests.get(file["url"], timeout=30).content
    asked = [each for each in stack.allowed() if each[0] == f"chronos-{run['id']}"]
    assert "ses:SendEmail" in {action for _, action, _ in asked}, "IAM has judged it, as the role of the job"


def test_a_report_that_ses_refuses_to_mail_is_stored(api: Api, stack: Stack) -> None:
    stranger = f"stranger-{token_hex(4)}@example.com"
    mail = {"role_arn": job_role.ARN, "region": "us-east-1", "sender": stranger, "to": ["one@example.com"]}
    run = ran(api, api.job(MANUAL, **report({"per": "day"}, mail=mail)), "SUCCEEDED", "FAILED")
    [attempt] = run["attempts"]
    assert (run["status"], attempt["error"]["kind"]) == ("FAILED", "cloud")
    assert "not verified" in attempt["error"]["message"]
    assert [file["name"] for file in api.get(f"/runs/{run['id']}/outputs")["items"]] == ["report.csv"]
    assert mails(stack, stranger) == []
