"""Runs: what became of each occurrence."""

PATHS = (
    "/runs",
    "/runs/{run_id}",
    "/runs/{run_id}/cancel",
    "/jobs/{job_id}/runs",
    "/executions",
    "/jobs/{job_id}/executions",
)
