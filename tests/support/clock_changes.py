"""Clock changes of every kind, for the tests of occurrences."""

from datetime import UTC, datetime

CHANGES = [
    # zone, the moment of the change in UTC, why it is here
    ("Europe/Berlin", "2026-03-29T01:00", "an hour forward at 2"),
    ("Europe/Berlin", "2026-10-25T01:00", "an hour back at 3"),
    ("America/New_York", "2026-03-08T07:00", "an hour forward, west of Greenwich"),
    ("America/New_York", "2026-11-01T06:00", "an hour back, west of Greenwich"),
    ("Australia/Lord_Howe", "2025-10-04T15:30", "half an hour forward"),
    ("Australia/Lord_Howe", "2026-04-04T15:00", "half an hour back"),
    ("America/Sao_Paulo", "2018-11-04T03:00", "midnight does not exist"),
    ("America/Sao_Paulo", "2018-02-18T02:00", "the last hour of a day comes twice"),
    ("Pacific/Apia", "2011-12-30T10:00", "a whole day does not exist"),
    ("Pacific/Apia", "2011-09-24T11:00", "an hour forward, at the other end of the day"),
    ("Asia/Kathmandu", "2026-03-29T01:00", "no change, and an offset with 45 minutes"),
    ("Africa/Casablanca", "2026-02-15T02:00", "back for Ramadan, forward after it"),
    ("Asia/Pyongyang", "2018-05-04T15:00", "half an hour forward for good, at midnight"),
    ("America/Caracas", "2007-12-09T07:00", "half an hour back for good"),
    ("Antarctica/Troll", "2026-03-29T01:00", "two hours forward at once"),
    ("Antarctica/Troll", "2026-10-25T01:00", "two hours back at once"),
]


def moments() -> list[tuple[str, int]]:
    """Zone and second of UTC of each change."""
    return [
        (zone, int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())) for zone, at, _ in CHANGES
    ]
