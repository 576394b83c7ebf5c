"""Fixtures for every kind of test."""

pytest_plugins = ["infra.local.fixtures"]
