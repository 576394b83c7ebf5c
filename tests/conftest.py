"""Fixtures and settings for every kind of test."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["infra.local.fixtures", "tests.support.oidc.fixtures"]

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
