"""Members of a tenant: who they are, what they may, and how they go."""

PATHS = ("/tenant/members", "/tenant/members/{user_id}", "/tenant/leave")
