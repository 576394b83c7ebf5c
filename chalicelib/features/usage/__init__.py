"""Usage: what the tenant's plan allows, and how much of it is used."""

PATHS = ("/tenant/usage",)
