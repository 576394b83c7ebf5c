"""Callbacks: what works elsewhere for a run tells how it is going. The token in the path is the only key."""

PATHS = (
    "/callbacks/{token}/success",
    "/callbacks/{token}/failure",
    "/callbacks/{token}/heartbeat",
    "/callbacks/{token}/progress",
)
"""The routes of callbacks."""
