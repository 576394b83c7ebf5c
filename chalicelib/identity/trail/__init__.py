"""The audit trail: who changed what, when and from where. Each entry holds the hash of the one before it."""
