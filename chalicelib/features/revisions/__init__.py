"""Revisions: what a job was, how it changed, and back to what it was."""

PATHS = (
    "/jobs/{job_id}/revisions",
    "/jobs/{job_id}/revisions/{revision}",
    "/jobs/{job_id}/revisions/{revision}/diff",
    "/jobs/{job_id}/rollback",
)
