"""What has become of a tenant's runs, for those who report on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.run import Run, RunStatus, Trigger

MAX_LOOKED_AT = 100_000
"""So many runs are looked at for one answer."""


class TooManyRuns(Exception):
    """There are more runs to look at than MAX_LOOKED_AT."""


@dataclass(frozen=True, slots=True)
class WantedRuns:
    """Runs with nominal times in [start, end). All that is named has to hold; what is empty leaves it open.

    `jobs` are ids, `names` are job names whatever the case. A tag's value None: whatever it is.
    """

    start_ms: int
    end_ms: int
    jobs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)
    statuses: tuple[RunStatus, ...] = ()
    triggers: tuple[Trigger, ...] = ()


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run with the name of its job, None if that is deleted, and what it has cost by list prices."""

    run: Run
    job_name: str | None
    usd: float


class RunHistory(Protocol):
    """Of one tenant."""

    def pages(self, wanted: WantedRuns) -> Iterator[Sequence[PastRun]]:
        """The runs, latest first, in bounded memory. A page may be empty: between any two the caller may give up.

        TooManyRuns, or Unavailable if it cannot be known.
        """
        ...


class NoRunHistory:
    """A worker that may not read it."""

    def pages(self, wanted: WantedRuns) -> Iterator[Sequence[PastRun]]:  # noqa: ARG002
        raise Unavailable("Runs cannot be read in this deployment.")
