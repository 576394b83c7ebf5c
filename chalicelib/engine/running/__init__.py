"""A run at work: hold, start, attempt, heartbeat, end; callbacks, and what no worker could finish."""
