"""API keys of a tenant: made, shown once, listed, renamed, given another secret, and taken back."""

PATHS = ("/api-keys", "/api-keys/{key_id}", "/api-keys/{key_id}/rotate")
