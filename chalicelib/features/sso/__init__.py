"""Single sign-on: the members of a tenant sign in at its own identity provider, by OpenID Connect."""

PATHS = ("/tenant/sso", "/auth/sso/token", "/auth/sso/{tenant}", "/auth/sso/{tenant}/callback")
"""The routes of single sign-on."""
