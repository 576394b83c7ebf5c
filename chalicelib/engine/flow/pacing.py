"""Rates at work: the runs of a batch get their moments. What is near is held, what is far is put off, and rung then."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.limits import RANKS
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gates import KINDS, Gate
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.rates import Rates
from chalicelib.engine.flow.start import is_too_late, refusal
from chalicelib.engine.flow.ticket import Ticket
from chalicelib.engine.ledger import record
from chalicelib.engine.message import STARTS_NOTHING, RunMessage
from chalicelib.engine.ringing.ring import ring_all
from chalicelib.engine.wheel.plan import Ring
from chalicelib.engine.wheel.timers import RunTimer, encode_timer
from chalicelib.ports.table import Key

MAY_LEAD_ELSEWHERE = ("manual", "redrive", "workflow")
"""Triggers whose runs may have a config, and so a target, of their own: it is known when the record has been read."""
Later = Mapping[int, list[Ticket]]
"""Tickets by the moment (epoch ms) at which they go on."""


class Pacer:
    """Gives runs their moments, before they start."""

    def __init__(self, engine: Engine, limits: KnownLimits) -> None:
        self._engine, self._limits, self._rates = engine, limits, Rates(engine)

    def paced(
        self, tickets: Sequence[Ticket], jobs: Mapping[Key, Job], at_ms: int
    ) -> tuple[list[Ticket], Later]:
        """Those that go on at `at_ms`, and those to hold; what is too far off to be held is put off by its record.

        Unavailable if the tables stay away: then all of them have to come again. Runs that may have to wait for a slot
        are let through: they get their moments when they have one.
        """
        ready, later, far = (
            list(tickets),
            defaultdict[int, list[Ticket]](list),
            list[tuple[Job, RunMessage]](),
        )
        gates = {
            ticket.delivery_id: self._gates(ticket, jobs.get(ticket.job_key), at_ms) for ticket in tickets
        }
        hold_until_ms = at_ms + self._engine.settings.hold_limit_ms
        for kind in KINDS if any(gates.values()) else ():
            groups: dict[Gate | None, list[Ticket]] = defaultdict(list)
            for ticket in ready:
                groups[gates[ticket.delivery_id].get(kind)].append(ticket)
            ready = groups.pop(None, [])
            for gate, group in groups.items():
                for moment_ms, ticket in self._through(gate, group, jobs, at_ms):
                    if moment_ms <= at_ms:
                        ready.append(ticket)
                    elif moment_ms <= hold_until_ms:
                        later[moment_ms].append(ticket)
                    else:
                        far.append((jobs[ticket.job_key], ticket.message))
        self.put_off(far)
        return ready, later

    def turn(self, gates: Iterable[Gate], message: RunMessage) -> tuple[RunMessage, int]:
        """The message of one run with its moment, and how many milliseconds off that is. As far as it can know now.

        What is too far off to be held has yet to pass the gates that are left when its moment comes.
        """
        now_ms = self._engine.clock.now_ms()
        at_ms = max(now_ms, message.at_ms)
        for gate in sorted(gates, key=lambda gate: KINDS.index(gate.kind)):
            message = passed(message, gate, self._rates.reserve(gate, 1, at_ms)[0])
            at_ms = max(at_ms, message.at_ms)
            if at_ms > now_ms + self._engine.settings.hold_limit_ms:
                break
        return message, at_ms - now_ms

    def put_off(self, runs: Sequence[tuple[Job, RunMessage]], *, are_known: bool = False) -> None:
        """Have them rung at their moments, and say so on their records, which may have to be made.

        Unavailable if that cannot be written down.
        """
        if not runs:
            return
        now_ms, settings = self._engine.clock.now_ms(), self._engine.settings
        self._engine.db.runs.write_each(
            [
                record.put_off(message, settings.expires_at(message.at_ms), is_known=are_known)
                for _, message in runs
            ]
        )
        near = [(job, each) for job, each in runs if each.at_ms < now_ms + settings.horizon_ms]
        self._engine.db.timers.put_all(
            encode_timer(RunTimer(bucket_of(each.job_id, settings.shards), each))
            for job, each in runs
            if (job, each) not in near
        )
        rings = [Ring(self._engine.lane_of(job), each) for job, each in near]
        ring_all(self._engine.lanes, rings, now_ms=now_ms, lead_ms=settings.lead_ms)

    def _gates(self, ticket: Ticket, job: Job | None, at_ms: int) -> dict[str, Gate]:
        """By their kinds, the gates whose rates the run has yet to pass, and can be asked for a moment right now."""
        message = ticket.message
        if job is None or self._limits.is_free(job) or message.trigger in MAY_LEAD_ELSEWHERE:
            return {}
        if job.concurrency.policy != "allow" or refusal(job, message, now_ms=at_ms):
            return {}
        if STARTS_NOTHING in message.passed:
            return {}
        gates = self._limits.gates(job, record.new_run(message))
        if any(gate.has_queue for gate in gates) or is_too_late(job, message, message.due_ms, now_ms=at_ms):
            return {}
        return {gate.kind: gate for gate in gates if gate.rate and gate.name not in message.passed}

    def _through(
        self, gate: Gate | None, group: list[Ticket], jobs: Mapping[Key, Job], at_ms: int
    ) -> Iterable[tuple[int, Ticket]]:
        """Each with its moment, the urgent ones first."""
        assert gate is not None
        in_turn = sorted(
            group, key=lambda each: (RANKS[jobs[each.job_key].priority], each.message.nominal_ms)
        )
        for moment_ms, ticket in zip(self._rates.reserve(gate, len(group), at_ms), in_turn, strict=True):
            yield moment_ms, replace(ticket, message=passed(ticket.message, gate, moment_ms))


def passed(message: RunMessage, gate: Gate, moment_ms: int) -> RunMessage:
    """The message of a run that may pass the gate at the moment."""
    return replace(
        message,
        not_before_ms=max(message.not_before_ms, moment_ms),
        passed=(*message.passed, gate.name),
    )
