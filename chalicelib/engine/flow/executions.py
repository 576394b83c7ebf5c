"""A month's executions: counted once a run, at its first start, and no more are started than the tenant's plan allows.

For plans that have an end, a batch sets aside what it is about to start before it does, and gives back what it did not
need; for others it counts afterwards. So a worker's death may count a batch twice, or not at all where there is no end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.plans import PLANS, Month, month_of
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.ticket import Ticket
from chalicelib.engine.flow.usage import USED, executed, executions_key
from chalicelib.engine.message import STARTS_NOTHING
from chalicelib.ports.table import ConditionFailed, Key

TRIES = 8
"""How often what is left of a month is looked at anew, when others take of it at the same moment."""


def may_count(ticket: Ticket, job: Job | None) -> bool:
    """Whether the message may be the first start of a run: what its record says is not known yet. Pure."""
    return job is not None and ticket.message.attempt == 1 and STARTS_NOTHING not in ticket.message.passed


def owed(ticket: Ticket, run: Run | None) -> int:
    """What is still to count, once it is known what has become of the ticket: -1 where too much was set aside. Pure."""
    begins = run is not None and run.starts == 1 and run.handle is None
    return int(begins) - int(ticket.is_counted)


class Executions:
    """The counters of months, as a worker's batches use them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def admitted(self, tickets: Sequence[Ticket], jobs: Mapping[Key, Job], at_ms: int) -> list[Ticket]:
        """The tickets, with what their months have for them. Unavailable if a month that has an end cannot be read."""
        month = month_of(at_ms)
        tenants: dict[str, list[Ticket]] = defaultdict(list)
        for ticket in tickets:
            if self._engine.plans.of(self._engine, ticket.message.tenant) is not None:
                tenants[ticket.message.tenant].append(replace(ticket, month=month))
        known = {
            ticket.delivery_id: ticket
            for tenant, its in tenants.items()
            for ticket in self._of_tenant(tenant, month, its, jobs)
        }
        return [known.get(ticket.delivery_id, ticket) for ticket in tickets]

    def settle(self, tickets: Iterable[tuple[Ticket, int]]) -> None:
        """Count what is owed. Best effort: the runs have begun.

        What is given back is a transaction: its token keeps a write that is sent again from giving back twice.
        """
        counts: Counter[tuple[str, Month]] = Counter()
        for ticket, count in tickets:
            if ticket.month is not None:
                counts[ticket.message.tenant, ticket.month] += count
        for (tenant, month), count in counts.items():
            try:
                if count > 0:
                    self._engine.db.catalog.write(executed(tenant, month, count))
                elif count < 0:
                    self._engine.db.transact(("catalog", executed(tenant, month, count)))
            except Unavailable as error:
                self._engine.telemetry.warning(
                    "Executions are not counted.", tenant=tenant, count=count, error=error.message
                )

    def _of_tenant(
        self, tenant: str, month: Month, tickets: list[Ticket], jobs: Mapping[Key, Job]
    ) -> list[Ticket]:
        plan = self._engine.plans.of(self._engine, tenant)
        limit = None if plan is None else PLANS[plan].executions
        wanting = [each for each in tickets if may_count(each, jobs.get(each.job_key))]
        if limit is None or not wanting:
            return tickets
        taken = self._taken(tenant, month, len(wanting), limit)
        counted = {each.delivery_id for each in wanting[:taken]}
        refused = {each.delivery_id for each in wanting[taken:]}
        return [
            replace(each, is_counted=each.delivery_id in counted, has_room=each.delivery_id not in refused)
            for each in tickets
        ]

    def _taken(self, tenant: str, month: Month, wanted: int, limit: int) -> int:
        """How many of the wanted executions are set aside: as many as are left, if others do not come between."""
        catalog = self._engine.db.catalog
        for _ in range(TRIES):
            try:
                catalog.write(executed(tenant, month, wanted, limit))
            except ConditionFailed:
                item = catalog.get(executions_key(tenant, month))
                wanted = min(wanted, limit - int(item[USED])) if item else wanted
                if wanted <= 0:
                    return 0
            else:
                return wanted
        return 0
