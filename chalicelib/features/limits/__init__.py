"""Limits of a tenant and of its targets: set, read with their live state, taken away."""

PATHS = ("/limits/tenant", "/limits/targets", "/limits/targets/{host}")
