"""The audit trail as its tenant sees it: entries, an export, and the proof that nobody has tampered with them."""

PATHS = ("/audit", "/audit/export", "/audit/verification", "/audit/{seq}")
