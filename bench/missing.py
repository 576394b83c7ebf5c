"""What a figure needs, and is not there."""


class Missing(Exception):
    """Says what is missing and how to get it. The figure is left out; that fails if CHRONOS_REQUIRE_SERVICES is set."""
