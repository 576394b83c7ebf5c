"""Calendars over HTTP, and what they do to the jobs that use them."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.timers import JobTimer, decode_timer, partition
from tests.support.api import ApiClient
from tests.support.memory import FakeClock

HOLIDAYS: dict[str, Any] = {
    "name": "holidays",
    "timezone": "Europe/Berlin",
    "excluded": {
        "weekdays": ["SAT", "SUN"],
        "dates": ["2027-01-18"],
        "ranges": [{"from": "2027-02-01", "until": "2027-02-07"}],
    },
    "included": {"dates": ["2027-02-03"]},
}
CHRISTMAS = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Christmas\r\n"
    b"DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\nRRULE:FREQ=YEARLY;COUNT=2\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:2\r\nDTSTART:20270501T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
DAILY = {"type": "dummy", "config": {}, "schedule": "0 9 * * *"}
WEEKEND_ONLY = {"excluded": {"weekdays": ["SAT", "SUN"]}}


@pytest.fixture
def holidays(api: ApiClient) -> str:
    assert api.post("/calendars", HOLIDAYS).status == 201
    return "/calendars/holidays"


def job_timers(engine: Engine, job_id: str) -> list[tuple[int, int]]:
    """(schedule revision, due) of a job's timers."""
    pages = [engine.db.timers.query(partition(shard)) for shard in range(engine.settings.shards)]
    found = [decode_timer(item) for page in pages for item in page.items]
    return sorted(
        (timer.schedule_revision, timer.due_ms)
        for timer in found
        if isinstance(timer, JobTimer) and timer.job_id == job_id
    )


def upcoming(api: ApiClient, job_id: str, count: int = 2) -> list[tuple[str, str]]:
    items = api.get(f"/jobs/{job_id}/upcoming?count={count}").json["items"]
    return [(item["nominal_at"][:16], item["scheduled_at"][:16]) for item in items]


def test_a_created_calendar_is_answered_in_full_and_can_be_read_again(api: ApiClient) -> None:
    answer = api.post("/calendars", HOLIDAYS)
    assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
    assert answer.headers["Location"] == "/api/calendars/holidays"
    assert answer.json["excluded"]["ranges"] == HOLIDAYS["excluded"]["ranges"]
    assert set(answer.json["excluded"]["weekdays"]) == {"SAT", "SUN"}
    assert api.get("/calendars/holidays").json == answer.json


def test_a_name_is_taken_once(api: ApiClient, holidays: str) -> None:
    assert api.post("/calendars", HOLIDAYS).status == 409


def test_calendars_are_listed_by_name_page_by_page(api: ApiClient) -> None:
    for name in ("c", "a", "b"):
        api.post("/calendars", {"name": name})
    first = api.get("/calendars?limit=2").json
    assert [item["name"] for item in first["items"]] == ["a", "b"]
    second = api.get(f"/calendars?limit=2&cursor={first['next_cursor']}").json
    assert ([item["name"] for item in second["items"]], second["next_cursor"]) == (["c"], None)
    assert api.get("/calendars?cursor=nonsense").status == 422


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name": "required"}),
        ({"name": "a/b"}, {"/name": "string_pattern_mismatch"}),
        ({"name": "a", "excluded": {"weekdays": ["FUNDAY"]}}, {"/excluded/weekdays/0": "unknown_value"}),
        ({"name": "a", "excluded": {"dates": ["2027-01-01", "x"]}}, {"/excluded/dates/1": "date"}),
        (
            {"name": "a", "excluded": {"ranges": [{"until": "2027-01-01"}]}},
            {"/excluded/ranges/0/from": "required"},
        ),
        ({"name": "a", "timezone": "Mars/Olympus"}, {"/timezone": "unknown_time_zone"}),
        ({"name": "a", "colour": "red"}, {"/colour": "unknown_field"}),
    ],
)
def test_each_bad_field_of_a_calendar_is_named(api: ApiClient, body: Any, pointers: dict[str, str]) -> None:
    answer = api.post("/calendars", body)
    assert (answer.status, answer.pointers) == (422, pointers)


@pytest.mark.parametrize("name", ["nowhere", "a%00b", "x" * 500, "%C3%BC", ".."])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_unknown_calendar_is_not_found(api: ApiClient, method: str, name: str) -> None:
    body = {} if method in ("PUT", "PATCH") else None
    answer = api(method, f"/calendars/{name}", body)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_a_calendar_is_replaced_patched_and_deleted_if_its_etag_matches(
    api: ApiClient, holidays: str
) -> None:
    replaced = api.put(holidays, WEEKEND_ONLY, headers={"If-Match": '"1"'})
    assert (replaced.status, replaced.headers["ETag"], replaced.json["timezone"]) == (200, '"2"', None)
    assert api.put(holidays, WEEKEND_ONLY).json["revision"] == 2, "nothing changed"
    patched = api.patch(holidays, {"included": {"dates": ["2027-03-06"]}, "description": "x"})
    assert patched.json["excluded"]["weekdays"] == replaced.json["excluded"]["weekdays"]
    assert patched.json["included"]["dates"] == ["2027-03-06"]
    assert api.patch(holidays, {"included": {"dates": ["2027-03-07"]}}).json["included"]["dates"] == [
        "2027-03-07"
    ]
    assert api.patch(holidays, {"excluded": {"dates": ["x"]}}).pointers == {"/excluded/dates/0": "date"}
    assert api.put(holidays, {"name": "other"}).pointers == {"/name": "immutable"}
    for method, body in (("PUT", {}), ("PATCH", {}), ("DELETE", None)):
        assert api(method, holidays, body, headers={"If-Match": '"1"'}).status == 412
    assert api.delete(holidays, headers={"If-Match": '"4"'}).status == 204
    assert api.get(holidays).status == 404


def test_the_days_of_a_calendar_say_what_decides_over_each(api: ApiClient, holidays: str) -> None:
    days = api.get(f"{holidays}/days?from=2027-02-02&until=2027-02-08").json["items"]
    assert [(day["date"][-2:], day["weekday"], day["allowed"], day["reason"]) for day in days] == [
        ("02", "TUE", False, "excluded"),
        ("03", "WED", True, "included"),
        ("04", "THU", False, "excluded"),
        ("05", "FRI", False, "excluded"),
        ("06", "SAT", False, "excluded"),
        ("07", "SUN", False, "excluded"),
        ("08", "MON", True, None),
    ]
    default = api.get(f"{holidays}/days").json["items"]
    assert (default[0]["date"], len(default)) == ("2027-01-15", 31)
    for query in ("from=2027-02-02&until=2027-02-01", "from=2027-01-01&until=2028-02-01"):
        assert api.get(f"{holidays}/days?{query}").pointers == {"/query/until": "range"}
    assert api.get(f"{holidays}/days?from=x").pointers == {"/query/from": "date"}


def test_an_icalendar_file_replaces_or_extends_the_excluded_days(api: ApiClient, holidays: str) -> None:
    answer = api.post(f"{holidays}/import", CHRISTMAS, media_type="text/calendar; charset=utf-8")
    assert answer.status == 200, answer.text
    assert answer.json["excluded"]["dates"] == ["2027-05-01"]
    assert answer.json["excluded"]["ranges"] == [
        {"from": "2026-12-25", "until": "2026-12-26"},
        {"from": "2027-12-25", "until": "2027-12-26"},
    ]
    assert set(answer.json["excluded"]["weekdays"]) == {"SAT", "SUN"}, "everything else stays"
    assert api.post(f"{holidays}/import", CHRISTMAS, media_type="text/calendar").json["revision"] == 2
    api.put(holidays, HOLIDAYS)
    added = api.post(f"{holidays}/import?mode=add", CHRISTMAS, media_type="text/calendar").json["excluded"]
    assert added["dates"] == ["2027-01-18", "2027-05-01"]
    assert len(added["ranges"]) == 3


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (CHRISTMAS, "application/json", 415),
        (CHRISTMAS, "text/calendar; charset=latin-1", 415),
        (b"\xff\xfe", "text/calendar", 400),
        (b"x" * 300_000, "text/calendar", 413),
        (b"hello", "text/calendar", 422),
        (b"", "text/calendar", 415),
    ],
    ids=["another type", "another charset", "no text", "too large", "no calendar", "nothing"],
)
def test_a_file_that_does_not_do_is_refused(
    api: ApiClient, holidays: str, body: bytes, media_type: str, status: int
) -> None:
    assert api.post(f"{holidays}/import", body, media_type=media_type).status == status
    assert api.get(holidays).json["revision"] == 1


def test_a_file_with_more_days_than_a_calendar_holds_is_refused_by_their_number(
    api: ApiClient, holidays: str
) -> None:
    daily = CHRISTMAS.replace(b"RRULE:FREQ=YEARLY;COUNT=2", b"RRULE:FREQ=DAILY;INTERVAL=3;COUNT=3000")
    single = daily.replace(b"DTEND;VALUE=DATE:20261227\r\n", b"")
    assert api.post(f"{holidays}/import", daily, media_type="text/calendar").pointers == {
        "/excluded/ranges": "too_long"
    }
    assert api.post(f"{holidays}/import", single, media_type="text/calendar").status == 200
    more = single.replace(b"INTERVAL=3", b"INTERVAL=2")
    assert api.post(f"{holidays}/import", more, media_type="text/calendar").pointers == {
        "/excluded/dates": "too_long"
    }


def test_an_import_into_no_calendar_is_not_found(api: ApiClient) -> None:
    assert api.post("/calendars/nowhere/import", CHRISTMAS, media_type="text/calendar").status == 404


def test_a_job_under_a_calendar_shows_when_it_really_runs(api: ApiClient, holidays: str) -> None:
    skipping = api.create(**DAILY, calendar="holidays")
    assert skipping["calendar"] == {"name": "holidays", "on_excluded": "skip"}
    assert skipping["next_run_at"] == "2027-01-19T09:00:00Z"
    moving = api.create(
        type="dummy",
        config={},
        schedule={"kind": "cron", "expression": "0 17 L * *", "timezone": "Europe/Berlin"},
        calendar={"name": "holidays", "on_excluded": "previous_allowed_day"},
    )
    assert upcoming(api, moving["id"]) == [
        ("2027-01-31T16:00", "2027-01-29T16:00"),
        ("2027-02-28T16:00", "2027-02-26T16:00"),
    ]
    listed = {job["id"]: job["next_run_at"] for job in api.get("/jobs").json["items"]}
    assert listed == {skipping["id"]: "2027-01-19T09:00:00Z", moving["id"]: "2027-01-29T16:00:00Z"}


BAD_TIMINGS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"calendar": "nowhere"}, {"/calendar": "unknown_calendar"}, "no such calendar"),
    (
        {"schedule": {"kind": "cron", "expression": "0 9 * * *", "calendar": "nowhere"}},
        {"/schedule/calendar": "unknown_calendar"},
        "of a schedule",
    ),
    (
        {"schedule": ["0 9 * * *", {"kind": "cron", "expression": "0 9 * * *", "calendar": "nowhere"}]},
        {"/schedule/1/calendar": "unknown_calendar"},
        "of the second one",
    ),
    (
        {"schedule": "*/14 * * * *", "calendar": {"name": "holidays", "on_excluded": "next_allowed_day"}},
        {"/calendar": "too_many_to_move"},
        "a cron of over 96 a day",
    ),
    (
        {
            "schedule": {"kind": "interval", "every": 899},
            "calendar": {"name": "holidays", "on_excluded": "previous_allowed_day"},
        },
        {"/calendar": "too_many_to_move"},
        "an interval of over 96 a day",
    ),
    (
        {"calendar": {"name": "holidays", "on_excluded": "dance"}},
        {"/calendar/on_excluded": "unknown_value"},
        "dance",
    ),
    ({"schedule": "0 9 * * *", "exclude": ["* 9 * * *"]}, {"/exclude": "never_fires"}, "nothing is left"),
    ({"exclude": ["x"]}, {"/exclude/0": "cron_expression"}, "no exclusion"),
    ({"exclude": ["0 9 * * *"] * 21}, {"/exclude": "too_long"}, "too many exclusions"),
    ({"schedule": ["0 9 * * *", "61 * * * *"]}, {"/schedule/1": "cron_expression"}, "a bad one in a list"),
    (
        {"schedule": ["0 9 * * *", {"kind": "interval"}]},
        {"/schedule/1/every": "required"},
        "an incomplete one in a list",
    ),
    ({"schedule": ["0 9 * * *"] * 11}, {"/schedule": "too_long"}, "eleven"),
    ({"schedule": []}, {"/schedule": "too_short"}, "none"),
]


@pytest.mark.parametrize(("fields", "problems", "reason"), BAD_TIMINGS, ids=[row[2] for row in BAD_TIMINGS])
def test_each_bad_part_of_a_timing_is_named(
    api: ApiClient, holidays: str, fields: dict[str, Any], problems: dict[str, str], reason: str
) -> None:
    answer = api.post("/jobs", {"name": "x", **DAILY, **fields})
    assert (answer.status, answer.pointers) == (422, problems), reason
    assert api.get("/jobs").json["items"] == []


@pytest.mark.parametrize("schedule", ["*/15 * * * *", {"kind": "interval", "every": 900}])
def test_96_occurrences_a_day_can_be_moved(api: ApiClient, holidays: str, schedule: Any) -> None:
    api.create(
        type="dummy",
        config={},
        schedule=schedule,
        calendar={"name": "holidays", "on_excluded": "next_allowed_day"},
    )


def test_a_change_of_a_calendar_takes_effect_at_once(api: ApiClient, engine: Engine, holidays: str) -> None:
    moving = {"name": "holidays", "on_excluded": "next_allowed_day"}
    job = api.create(type="dummy", config={}, schedule="0 9 16 * *", calendar=moving)
    other = api.create(**DAILY)
    assert job["next_run_at"] == "2027-01-19T09:00:00Z"
    api.patch(holidays, {"excluded": {"weekdays": ["SUN"]}})
    after = api.get(f"/jobs/{job['id']}").json
    assert (after["next_run_at"], after["revision"]) == ("2027-01-16T09:00:00Z", 2)
    assert [revision for revision, _ in job_timers(engine, job["id"])] == [1, 2]
    assert job_timers(engine, job["id"])[-1][1] == 1_800_090_000_000
    assert api.get(f"/jobs/{other['id']}").json["revision"] == 1, "it uses no calendar"


def test_a_change_brings_an_occurrence_inside_the_horizon_to_its_worker(
    api: ApiClient, holidays: str, clock: FakeClock, rung: Callable[[], list[str]]
) -> None:
    api.patch(holidays, {"excluded": {"dates": ["2027-01-15"]}})
    job = api.create(type="dummy", config={}, schedule="0 12 * * *", calendar="holidays")
    clock.ms -= 1000
    api.patch(f"/jobs/{job['id']}", {"name": "nearly due"})
    assert rung() == []
    api.patch(holidays, {"excluded": {"dates": []}})
    [message] = rung()
    assert job["id"] in message


def test_a_paused_job_is_armed_by_the_calendar_when_it_is_resumed(
    api: ApiClient, engine: Engine, holidays: str
) -> None:
    job = api.create(**DAILY, calendar="holidays")
    api.post(f"/jobs/{job['id']}/pause")
    api.patch(holidays, {"excluded": {"weekdays": []}})
    assert api.get(f"/jobs/{job['id']}").json["revision"] == 2
    assert api.post(f"/jobs/{job['id']}/resume").json["next_run_at"] == "2027-01-16T09:00:00Z"


def test_a_calendar_in_use_cannot_be_deleted_and_the_answer_names_the_jobs(
    api: ApiClient, holidays: str
) -> None:
    first, second = (api.create(**DAILY, calendar="holidays")["id"] for _ in range(2))
    answer = api.delete(holidays)
    assert answer.status == 409
    assert first in answer.json["detail"]
    assert second in answer.json["detail"]
    api.patch(f"/jobs/{first}", {"calendar": None})
    assert first not in api.delete(holidays).json["detail"]
    api.delete(f"/jobs/{second}")
    assert api.delete(holidays).status == 204
    assert api.post("/jobs", {"name": "x", **DAILY, "calendar": "holidays"}).status == 422


def test_a_list_in_a_merge_patch_replaces(api: ApiClient, holidays: str) -> None:
    both = ["0 9 * * *", "0 10 * * *"]
    url = f"/jobs/{api.create(type='dummy', config={}, schedule=both, exclude=['0 9 16 * *'])['id']}"
    assert api.get(url).json["next_run_at"] == "2027-01-16T10:00:00Z"
    patched = api.patch(url, {"schedule": ["0 8 * * *"], "exclude": []})
    assert (patched.status, patched.json["next_run_at"]) == (200, "2027-01-16T08:00:00Z")
    assert [each["expression"] for each in patched.json["schedule"]] == ["0 8 * * *"]
    assert api.patch(url, {"schedule": {"timezone": "Asia/Tokyo"}}).pointers == {"/schedule": "schedule_kind"}
    assert api.patch(url, {"schedule": "0 7 * * *"}).json["next_run_at"] == "2027-01-16T07:00:00Z"
    moved = api.patch(url, {"calendar": {"name": "holidays"}})
    assert moved.json["next_run_at"] == "2027-01-19T07:00:00Z"
    policy = api.patch(url, {"calendar": {"on_excluded": "next_allowed_day"}})
    assert policy.json["calendar"] == {"name": "holidays", "on_excluded": "next_allowed_day"}
    assert api.patch(url, {"calendar": None}).json["next_run_at"] == "2027-01-16T07:00:00Z"


def test_what_a_job_was_given_can_be_given_back(api: ApiClient, holidays: str) -> None:
    fields = {
        "schedule": ["0 9 * * *", {"kind": "interval", "every": "PT1H", "calendar": "holidays"}],
        "exclude": [
            "0 9 16 * *",
            {"kind": "range", "from": "2027-01-20T00:00:00Z", "until": "2027-01-21T00:00:00Z"},
        ],
        "calendar": {"name": "holidays", "on_excluded": "next_allowed_day"},
    }
    created = api.create(type="dummy", config={}, **fields)
    own = {name: created[name] for name in ("name", "type", "config", *fields)}
    answer = api.put(f"/jobs/{created['id']}", own)
    assert (answer.status, answer.json["revision"]) == (200, 1)


def test_a_list_is_warned_of_one_by_one(api: ApiClient) -> None:
    created = api.create(schedule=["0 9 * * *", "0 9 13 * FRI"])
    assert [(each["code"], each["message"][:11]) for each in created["warnings"]] == [
        ("day_rule", "Schedule 2:")
    ]


def test_a_calendar_that_excludes_everything_is_warned_of(api: ApiClient) -> None:
    api.post(
        "/calendars",
        {"name": "never", "excluded": {"weekdays": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]}},
    )
    created = api.create(**DAILY, calendar="never")
    assert [each["code"] for each in created["warnings"]] == ["never_fires"]
    assert created["next_run_at"] is None


def test_the_preview_takes_lists_exclusions_and_calendars(api: ApiClient, holidays: str) -> None:
    asked = {
        "schedule": ["0 9 * * *", "0 12 16 * *"],
        "exclude": ["0 9 19 * *"],
        "calendar": {"name": "holidays", "on_excluded": "next_allowed_day"},
        "from": "2027-01-16T00:00:00Z",
        "count": 2,
    }
    answer = api.post("/schedules/preview", asked)
    assert answer.status == 200, answer.text
    assert answer.json["occurrences"] == ["2027-01-18T09:00:00Z", "2027-01-16T12:00:00Z"]
    assert answer.json["due"] == ["2027-01-19T09:00:00Z", "2027-01-19T12:00:00Z"]
    assert answer.json["local"] == ["2027-01-19T09:00:00+00:00", "2027-01-19T12:00:00+00:00"]
    assert answer.json["skipped"] == [{"first": "2027-01-16T09:00:00Z", "last": "2027-01-17T09:00:00Z"}]
    assert "; and " in answer.json["words"]
    plain = api.post("/schedules/preview", {"schedule": "0 9 * * *", "count": 1}).json
    assert (plain["occurrences"], plain["skipped"]) == (plain["due"], [])
    assert api.post("/schedules/preview", {**asked, "calendar": "nowhere"}).pointers == {
        "/calendar": "unknown_calendar"
    }
