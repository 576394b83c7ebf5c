"""How the dispatchers and the auditor are, by their pulses. Pure: numbers only, nothing of anyone's data."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.engine.audit.pulse import HOUR_MS, HOURS, LATE_MS, Pulse, alive, verified_until
from chalicelib.engine.ringing.journal import PARTITIONS, look_of

AUDITOR_BEHIND_MS = 300_000
"""Pages are looked at each minute; after this, what vanished is not rung again in time."""


class Dispatcher(BaseModel):
    """The latest tick of the group that ticked longest ago. `late`: it has missed three, or its clock is wrong."""

    model_config = ConfigDict(defer_build=True)

    state: Literal["ok", "late", "not_seen", "unknown"]
    age_seconds: float | None = Field(description="Since that tick; null before the first.")
    groups: int = Field(description="Dispatchers that there should be.")
    groups_alive: int | None = Field(description="Those that have ticked in the last three minutes.")


class Auditor(BaseModel):
    """Who rings again what vanished, and repairs timers. `behind`: it has not kept up for five minutes."""

    model_config = ConfigDict(defer_build=True)

    state: Literal["ok", "behind", "not_seen", "unknown"]
    behind_seconds: float | None = Field(
        description="For how long the oldest unverified page may have been due."
    )
    findings_last_hour: int | None = Field(description="In this hour and the one before.")
    findings_last_day: int | None


UNKNOWN_AUDITOR = Auditor(
    state="unknown", behind_seconds=None, findings_last_hour=None, findings_last_day=None
)


def unknown_dispatcher(groups: int) -> Dispatcher:
    return Dispatcher(state="unknown", age_seconds=None, groups=groups, groups_alive=None)


def dispatcher_at(pulses: Sequence[Pulse], groups: int, now_ms: int) -> Dispatcher:
    """How the dispatchers are. A group that never ticked counts from when the first of the others did."""
    ticking = [pulse for pulse in pulses if pulse.group < groups and pulse.at_ms]
    if not ticking:
        return Dispatcher(state="not_seen", age_seconds=None, groups=groups, groups_alive=0)
    latest = {pulse.group: pulse.at_ms for pulse in ticking}
    begun_ms = min(pulse.first_ms for pulse in ticking)
    moments = [latest.get(group, begun_ms) for group in range(groups)]
    is_late = any(abs(now_ms - at_ms) > LATE_MS for at_ms in moments)
    return Dispatcher(
        state="late" if is_late else "ok",
        age_seconds=max(0, now_ms - min(moments)) / 1000,
        groups=groups,
        groups_alive=alive(ticking, groups, now_ms),
    )


def auditor_at(pulses: Sequence[Pulse], now_ms: int) -> Auditor:
    """How the auditor is. A partition of the journal that nobody has looked at counts from the first tick."""
    if not any(pulse.at_ms for pulse in pulses):
        return Auditor(state="not_seen", behind_seconds=None, findings_last_hour=0, findings_last_day=0)
    begun_ms = min(pulse.first_ms for pulse in pulses if pulse.at_ms)
    verified = [verified_until(pulses, number) for number in range(PARTITIONS)]
    behind_ms = max(0, now_ms - min(look_of(key) if key else begun_ms for key in verified))
    return Auditor(
        state="behind" if behind_ms > AUDITOR_BEHIND_MS else "ok",
        behind_seconds=behind_ms / 1000,
        findings_last_hour=_findings(pulses, now_ms, 2),
        findings_last_day=_findings(pulses, now_ms, HOURS),
    )


def _findings(pulses: Sequence[Pulse], now_ms: int, hours: int) -> int:
    since = now_ms // HOUR_MS - hours
    return sum(number for pulse in pulses for hour, number in pulse.findings.items() if hour > since)
