"""Backfills: the occurrences of a stretch of the past, run again or at last."""
