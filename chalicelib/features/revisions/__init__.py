"""Revisions: what a job was, how it changed, and back to what it was."""
