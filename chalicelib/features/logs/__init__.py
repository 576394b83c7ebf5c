"""Logs: what a run's attempts tell about themselves."""

PATHS = ("/runs/{run_id}/logs",)
