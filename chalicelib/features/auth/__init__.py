"""Registering, signing in, and passwords."""

PATHS = (
    "/auth/register",
    "/auth/verify",
    "/auth/verify/resend",
    "/auth/login",
    "/auth/refresh",
    "/auth/logout",
    "/auth/password",
    "/auth/password/forgot",
    "/auth/password/reset",
    "/.well-known/jwks.json",
)
"""The routes of accounts."""
