"""The sessions of who asks: seen, and ended."""

PATHS = ("/auth/sessions", "/auth/sessions/{session_id}")
"""The routes of sessions."""
