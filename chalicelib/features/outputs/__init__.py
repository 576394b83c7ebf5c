"""Outputs: the files that a run's attempts have stored."""

PATHS = ("/runs/{run_id}/outputs",)
