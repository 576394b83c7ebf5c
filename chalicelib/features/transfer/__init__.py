"""Definitions of jobs go out, and come in again by their names, as JSON or YAML."""

PATHS = ("/jobs/export", "/jobs/import")
