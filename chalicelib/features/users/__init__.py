"""The account of who asks: seen, changed, and deleted."""

PATHS = ("/users/me",)
"""The route of one's own account."""
