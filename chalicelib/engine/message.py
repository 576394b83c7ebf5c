"""The doorbell: a message that says which run is due. Under 1 KB; the tables hold the truth."""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.run import Trigger

VERSION = 1
_PLAIN, _PASSED = 9, 10
"""Fields of a message that no limit has put off, and the place of `passed` in others."""


STARTS_NOTHING = "*"
"""Among what a message has `passed`: no rate counts it, since it only asks after a run that waits for its callback."""


class BadMessage(ValueError):
    """A body that no version of Chronos wrote."""


@dataclass(frozen=True, slots=True)
class RunMessage:
    """`attempt` is the one to start, counted from 1; `due_ms` when it is to start.

    Not before `not_before_ms`, if a rate has put it off: `passed` are the gates whose rates have let it pass.
    `called`: the gate that has called a run that waited there.
    """

    tenant: str
    job_id: str
    schedule_revision: int
    run_id: str
    nominal_ms: int
    due_ms: int
    attempt: int = 1
    trigger: Trigger = "schedule"
    not_before_ms: int = 0
    passed: tuple[str, ...] = ()
    called: str = ""

    @property
    def at_ms(self) -> int:
        """When it is to arrive."""
        return max(self.due_ms, self.not_before_ms)

    def encode(self) -> str:
        fields: list[Any] = [
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
        if self.not_before_ms or self.passed or self.called:
            fields += [self.not_before_ms, self.passed, self.called]
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
        if len(fields) > _PLAIN:
            fields[_PASSED] = tuple(fields[_PASSED])
        return RunMessage(*fields[1:])
    except (ValueError, TypeError, LookupError) as error:
        raise BadMessage(f"not a run message: {body[:80]!r}") from error
