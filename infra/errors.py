"""The one error of this tool: a sentence for the person at the terminal."""


class Stop(Exception):
    """Something only a person can put right; the message says what to do."""
