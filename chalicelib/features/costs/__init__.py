"""Costs: what a job's runs will cost, before it is saved, and what they did cost."""

PATHS = ("/jobs/estimate", "/jobs/{job_id}/cost")
