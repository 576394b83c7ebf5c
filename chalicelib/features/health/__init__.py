"""Health: whether the tables answer, and when the dispatcher was last alive."""

PATHS = ("/health",)
