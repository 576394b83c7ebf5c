"""The timeline: what became of each occurrence of a job, and why."""

PATHS = ("/jobs/{job_id}/timeline",)
