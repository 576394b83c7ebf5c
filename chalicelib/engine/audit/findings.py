"""What the auditor finds, told three times: as a sentence in the log, as a metric, and in the audit table."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item

Action = Literal[
    "run.rung_again",
    "timer.repaired",
    "page.unreadable",
    "run.unreadable",
    "timer.unreadable",
    "job.unreadable",
]
ACTOR = "auditor"
METRIC = "findings"
MOST = 50
"""Findings of one kind and tenant that are written down one by one; what is beyond is one record with their number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was not as it should be. `tenant` is empty where it cannot be told. No secret is in `details`."""

    tenant: str
    action: Action
    subject: str
    details: dict[str, Any]


def audit_partition(tenant: str) -> str:
    """The partition of the audit table that holds a tenant's records, by their moments."""
    return f"{tenant}#audit"


def report(engine: Engine, findings: Sequence[Finding]) -> None:
    """Tell of findings. Never Unavailable: what was found is mended already, and stays so without its record."""
    if not findings:
        return
    for action, number in Counter(finding.action for finding in findings).items():
        engine.telemetry.warning(
            "The auditor has found something.",
            action=action,
            number=number,
            first=next(finding.subject for finding in findings if finding.action == action),
        )
    engine.telemetry.count(METRIC, len(findings))
    now_ms, nonce = engine.clock.now_ms(), engine.ids.random_bytes(8)
    expires_at = engine.settings.audit_expires_at(now_ms)
    try:
        engine.db.audit.put_all(encode_findings(findings, now_ms=now_ms, nonce=nonce, expires_at=expires_at))
    except Unavailable as error:
        engine.telemetry.warning("A finding could not be written down.", error=error.message)


def encode_findings(findings: Iterable[Finding], *, now_ms: int, nonce: bytes, expires_at: int) -> list[Item]:
    """As audit records."""
    alike: dict[tuple[str, Action], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.tenant, finding.action), []).append(finding)
    shown = [finding for group in alike.values() for finding in group[:MOST]]
    for group in alike.values():
        if len(group) > MOST:
            more = {"more": len(group) - MOST, "last": group[-1].subject}
            shown.append(Finding(group[0].tenant, group[0].action, group[MOST].subject, more))
    return [
        {
            "pk": audit_partition(finding.tenant),
            "sk": f"{now_ms:015d}#{nonce.hex()}{number:04d}",
            "actor": ACTOR,
            "action": finding.action,
            "subject": finding.subject,
            "details": json.dumps(finding.details, separators=(",", ":")),
            "expires_at": expires_at,
        }
        for number, finding in enumerate(shown)
    ]
