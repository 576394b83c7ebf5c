"""What a worker's batch is made of."""

from dataclasses import dataclass

from chalicelib.domain.plans import Month
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import job_key
from chalicelib.ports.table import Key


@dataclass(frozen=True, slots=True)
class Ticket:
    """A delivery with its message, and the owner token under which its run would be started.

    `month`: in which that counts, None for a tenant without a plan. `is_counted`: it was, beforehand; not `has_room`:
    it must not start, since the month's executions are used up.
    """

    delivery_id: str
    message: RunMessage
    owner: str
    month: Month | None = None
    is_counted: bool = False
    has_room: bool = True

    @property
    def job_key(self) -> Key:
        return job_key(self.message.tenant, self.message.job_id)
