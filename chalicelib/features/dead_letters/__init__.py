"""Dead letters: runs that failed for good, kept to be looked at, done again, or purged."""
