"""Who asks, and for which tenant: tenants, their members, users, and the keys that open the API."""
