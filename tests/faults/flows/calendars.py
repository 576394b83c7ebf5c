"""What clients ask of calendars, and what that does to the jobs that use them."""

from tests.faults.flow import OK, Act, request
from tests.faults.flows.steps import at, be_at, ring
from tests.faults.system import System

CLOSED_ON_SATURDAYS = {"name": "open", "excluded": {"weekdays": ["SAT"]}}
FRIDAYS_TOO = {"excluded": {"weekdays": ["FRI", "SAT"]}}


def names_of_calendars(system: System) -> list[str]:
    return [str(item["sk"]) for item in system.aws.items("catalog") if str(item["pk"]).endswith("#calendar")]


def there_is_one(system: System, done: bool) -> bool:
    return names_of_calendars(system) == ["open"] or not done


def there_is_none(system: System, done: bool) -> bool:
    return names_of_calendars(system) == [] or not done


@request({}, holds=there_is_one)
def create_a_calendar(system: System) -> Act:
    return lambda: system.api("POST", "/calendars", CLOSED_ON_SATURDAYS, key="k1")


@request({"planned": [(60, OK), (600, OK)]}, undone={})
def create_a_job_under_a_calendar(system: System) -> Act:
    assert system.api("POST", "/calendars", CLOSED_ON_SATURDAYS)
    be_at(system, 0)
    wanted = {"name": "planned", "type": "dummy", "schedule": at(60, 600), "calendar": "open"}
    return lambda: system.api("POST", "/jobs", wanted, key="k1")


@request(
    {"planned": [(60, "superseded"), (600, "calendar")], "other": [(300, "calendar")]},
    undone={"planned": [(60, OK, "superseded"), (600, OK, "calendar")], "other": [(300, OK, "calendar")]},
)
def change_a_calendar(system: System) -> Act:
    """It holds from its own write on; a client that gives up then leaves what was dispatched as it was."""
    assert system.api("POST", "/calendars", CLOSED_ON_SATURDAYS)
    system.job("planned", at(60, 600), calendar="open")
    system.job("other", at(300), calendar="open")
    ring(system, 1)
    return lambda: system.api("PATCH", "/calendars/open", FRIDAYS_TOO)


@request({}, repeated_as=(404,), holds=there_is_none)
def delete_a_calendar(system: System) -> Act:
    assert system.api("POST", "/calendars", CLOSED_ON_SATURDAYS)
    return lambda: system.api("DELETE", "/calendars/open")


@request({"planned": [(60, OK)]}, undone={"planned": [(60, OK)]}, repeated_as=(404,))
def delete_a_job_under_a_calendar(system: System) -> Act:
    assert system.api("POST", "/calendars", CLOSED_ON_SATURDAYS)
    path = f"/jobs/{system.job('planned', at(60), calendar='open')}"
    ring(system, 60)
    system.deliver()
    return lambda: system.api("DELETE", path)
