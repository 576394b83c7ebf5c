"""Jobs that are scripts: sent to the sandbox, a function of their own, and their end told."""

LANE = "script"
