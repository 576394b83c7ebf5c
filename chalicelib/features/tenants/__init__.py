"""Tenants: the one that a request works in, those that a user belongs to, a new one, and the end of one."""

PATHS = ("/tenant", "/tenants")
