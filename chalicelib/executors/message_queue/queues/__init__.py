"""How a job names a queue: a model for each kind. Light: pydantic and the standard library only."""
