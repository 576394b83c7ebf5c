"""Jobs: define, list, change, pause, resume, skip, trigger, and look ahead."""

PATHS = (
    "/jobs",
    "/jobs/{job_id}",
    "/jobs/{job_id}/pause",
    "/jobs/{job_id}/resume",
    "/jobs/{job_id}/skip",
    "/jobs/{job_id}/trigger",
    "/jobs/{job_id}/upcoming",
)
