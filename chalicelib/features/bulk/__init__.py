"""One action on all jobs that a filter means: page by page, each with a result of its own."""

PATHS = ("/jobs/bulk",)
