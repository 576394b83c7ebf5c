"""Deployment: templates, packaging, `make deploy`, and the local emulator. Imports nothing of chalicelib."""
