"""What a worker's batch is made of."""

from dataclasses import dataclass

from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import job_key
from chalicelib.ports.table import Key


@dataclass(frozen=True, slots=True)
class Ticket:
    """A delivery with its message, and the owner token under which its run would be started."""

    delivery_id: str
    message: RunMessage
    owner: str

    @property
    def job_key(self) -> Key:
        return job_key(self.message.tenant, self.message.job_id)
