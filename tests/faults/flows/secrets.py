"""What becomes of runs whose jobs name secrets."""

from tests.faults.flow import FAILED, OK, Act, event
from tests.faults.flows.steps import ONCE, at, ring
from tests.faults.system import System


@event({"named": [(2, OK, FAILED)], "plain": [(2, OK)]})
def a_run_whose_job_names_secrets(system: System) -> Act:
    """Without them its only attempt fails; the run beside it needs none."""
    output = ["${{ secrets.token }}", "${{ secretsmanager.db.password }}"]
    system.job("named", at(2), config={"output": output}, retry=ONCE)
    system.job("plain", at(2))
    ring(system, 2)
    return system.deliver
