"""The doorbell: a message that says which run is due. Under 1 KB; the tables hold the truth."""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.run import Trigger

VERSION = 1


class BadMessage(ValueError):
    """A body that no version of Chronos wrote."""


@dataclass(frozen=True, slots=True)
class RunMessage:
    """`attempt` is the one to start, counted from 1; `due_ms` when it is to start."""

    tenant: str
    job_id: str
    schedule_revision: int
    run_id: str
    nominal_ms: int
    due_ms: int
    attempt: int = 1
    trigger: Trigger = "schedule"

    def encode(self) -> str:
        fields = [
            VERSION,
            self.tenant,
            self.job_id,
            self.schedule_revision,
            self.run_id,
            self.nominal_ms,
            self.due_ms,
            self.attempt,
            self.trigger,
        ]
        return json.dumps(fields, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the event source hands it over."""

    id: str
    body: str


def decode(body: str) -> RunMessage:
    """BadMessage if it is none, or of a later version."""
    try:
        fields: list[Any] = json.loads(body)
        if fields[0] != VERSION:
            raise BadMessage(f"message version {fields[0]!r} is unknown")
        return RunMessage(*fields[1:])
    except (ValueError, TypeError, LookupError) as error:
        raise BadMessage(f"not a run message: {body[:80]!r}") from error
