"""Dead letters: runs that failed for good, kept to be looked at, done again, or purged."""

PATHS = ("/dead-letters", "/dead-letters/{run_id}", "/dead-letters/{run_id}/redrive")
