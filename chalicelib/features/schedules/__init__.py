"""Schedules by themselves: try one before a job has it."""

PATHS = ("/schedules/preview",)
