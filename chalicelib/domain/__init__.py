"""Pure: what jobs, schedules, runs and retries mean. Standard library, pydantic and croniter only."""
