"""Whose a job is, and who may change and operate it."""

PATHS = ("/jobs/{job_id}/access",)
