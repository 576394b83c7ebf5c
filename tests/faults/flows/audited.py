"""What clients ask of the audit trail."""

from chalicelib.identity.trail.book import Book
from chalicelib.identity.trail.entries import Opened
from tests.faults.flow import Act, request
from tests.faults.flows.steps import MANUAL, be_at
from tests.faults.system import System
from tests.support.world import TENANT


def with_entries(system: System) -> None:
    system.job("told of", MANUAL)
    be_at(system, 0)


@request({"told of": []})
def look_at_an_entry(system: System) -> Act:
    with_entries(system)
    return lambda: system.api("GET", "/audit/1")


@request({"told of": []})
def verify_the_trail(system: System) -> Act:
    with_entries(system)
    return lambda: system.api("GET", "/audit/verification")


@request({"told of": []})
def list_what_a_dead_process_has_left(system: System) -> Act:
    with_entries(system)
    left = Opened("event_left", TENANT, system.clock.now_ms(), "key_gone", "POST /jobs")
    Book().begin(system.engine, left)
    be_at(system, 300)
    return lambda: system.api("GET", "/audit")
