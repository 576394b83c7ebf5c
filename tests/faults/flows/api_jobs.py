"""What clients ask of jobs."""

from tests.faults.checker import Evidence
from tests.faults.flow import OK, Act, request
from tests.faults.flows.steps import MANUAL, at, be_at, hourly, moment, ring
from tests.faults.system import System
from tests.support.world import NOON

NEW = {"name": "new", "type": "dummy"}


@request({"new": [(30, OK)]}, undone={})
def create_a_near_one(system: System) -> Act:
    be_at(system, 0)
    return lambda: system.api("POST", "/jobs", {**NEW, "schedule": at(30)}, key="k1")


@request({"new": [(600, OK)]}, undone={})
def create_a_far_one(system: System) -> Act:
    be_at(system, 0)
    return lambda: system.api("POST", "/jobs", {**NEW, "schedule": at(600)}, key="k1")


@request({"new": [(1800, OK)]}, undone={})
def create_one_that_goes_on(system: System) -> Act:
    be_at(system, 0)
    return lambda: system.api("POST", "/jobs", {**NEW, "schedule": hourly(1800)}, key="k1")


@request({"edited": [(30, OK), (60, "superseded")]}, undone={"edited": [(60, OK)]})
def edit_after_dispatch(system: System) -> Act:
    path = f"/jobs/{system.job('edited', at(60))}"
    ring(system, 1)
    return lambda: system.api("PUT", path, {**NEW, "name": "edited", "schedule": at(30)})


def is_described(system: System, done: bool) -> bool:
    [job] = Evidence(system).jobs.values()
    return job.description == "changed" or not done


@request({"patched": [(60, OK)]}, holds=is_described)
def patch_what_is_no_timing(system: System) -> Act:
    path = f"/jobs/{system.job('patched', at(60))}"
    ring(system, 1)
    return lambda: system.api("PATCH", path, {"description": "changed"})


@request({"rolled back": [(60, OK)]}, undone={"rolled back": []})
def roll_back(system: System) -> Act:
    path = f"/jobs/{system.job('rolled back', at(60))}"
    assert system.api("PATCH", path, {"schedule": MANUAL})
    be_at(system, 1)
    return lambda: system.api("POST", f"{path}/rollback", {"revision": 1})


@request({"paused": [(60, "paused")]}, undone={"paused": [(60, OK)]})
def pause_after_dispatch(system: System) -> Act:
    path = f"/jobs/{system.job('paused', at(60))}"
    ring(system, 1)
    return lambda: system.api("POST", f"{path}/pause")


def not_before_the_pause_ends(system: System, done: bool) -> bool:
    return not done or min(effect.at_ms for effect in system.effects) >= NOON + 90_000


@request({"paused": [(60, OK)]}, holds=not_before_the_pause_ends)
def pause_until_soon(system: System) -> Act:
    path = f"/jobs/{system.job('paused', at(60))}"
    ring(system, 1)
    return lambda: system.api("POST", f"{path}/pause", {"until": moment(90)})


@request({"resumed": [(60, OK), (1800, OK)]}, undone={"resumed": []})
def resume_with_something_missed(system: System) -> Act:
    path = f"/jobs/{system.job('resumed', at(60, 1800))}"
    assert system.api("POST", f"{path}/pause")
    be_at(system, 130)
    return lambda: system.api("POST", f"{path}/resume")


@request({"deleted": [(60, "superseded")]}, undone={"deleted": [(60, OK)]}, repeated_as=(404,))
def delete_after_dispatch(system: System) -> Act:
    path = f"/jobs/{system.job('deleted', at(60), pause_after_failures=3)}"
    ring(system, 1)
    return lambda: system.api("DELETE", path)


@request({"skipping": [(60, "skip_next"), (600, OK)]}, undone={"skipping": [(60, OK), (600, OK)]})
def skip_the_next(system: System) -> Act:
    path = f"/jobs/{system.job('skipping', at(60, 600))}"
    ring(system, 1)
    return lambda: system.api("POST", f"{path}/skip", {"count": 1})


@request({"triggered": [("manual", OK)]}, undone={"triggered": []})
def trigger(system: System) -> Act:
    path = f"/jobs/{system.job('triggered', MANUAL, timeout_seconds=600)}"
    be_at(system, 0)
    return lambda: system.api("POST", f"{path}/trigger", {"note": "now"}, key="k1")


@request({"resting": [("manual", OK)]}, undone={"resting": []})
def trigger_a_paused_one(system: System) -> Act:
    path = f"/jobs/{system.job('resting', at(60))}"
    assert system.api("POST", f"{path}/pause")
    be_at(system, 0)
    return lambda: system.api("POST", f"{path}/trigger", key="k1")
