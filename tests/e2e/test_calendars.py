"""Calendars against the packaged app on the emulator, which enforces the functions' policies."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import Api
from tests.support.target import Target
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def test_a_job_rests_on_an_excluded_day_and_runs_as_soon_as_its_calendar_allows_it(
    api: Api, server: Target
) -> None:
    yesterday, after = (datetime.now(UTC).date() + timedelta(days=each) for each in (-1, 2))
    event = f"DTSTART;VALUE=DATE:{yesterday:%Y%m%d}\r\nDTEND;VALUE=DATE:{after:%Y%m%d}"
    file = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    api.post("/calendars", {"name": "rest"})
    imported = api.call(
        "POST", "/calendars/rest/import", data=file.encode(), headers={"Content-Type": "text/calendar"}
    )
    assert len(imported.json()["excluded"]["ranges"]) == 1, imported.text
    job = api.http_job("* * * * * *", server.url, calendar="rest")
    assert job["next_run_at"] > f"{after}T"
    skipped = eventually(
        lambda: [
            each
            for each in api.get(f"/jobs/{job['id']}/timeline")["items"]
            if each["outcome"] == "skipped" and each["reason"] == "calendar"
        ]
    )
    assert skipped
    assert server.calls == []
    allowed = api.call("PATCH", "/calendars/rest", json={"excluded": {"ranges": []}})
    assert allowed.json()["revision"] == 3
    assert eventually(lambda: server.calls, seconds=30)
    refused = api.call("DELETE", "/calendars/rest")
    assert (refused.status_code, job["id"] in refused.json()["detail"]) == (409, True)
    api.call("DELETE", f"/jobs/{job['id']}")
    assert api.call("DELETE", "/calendars/rest").ok
