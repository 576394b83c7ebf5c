"""Backfills: the occurrences of a stretch of the past, run again or at last."""

PATHS = ("/jobs/{job_id}/backfills", "/backfills/{backfill_id}", "/backfills/{backfill_id}/cancel")
