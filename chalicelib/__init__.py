"""Chronos: a serverless job scheduler. Imports go downward only; `docs/architecture.md` names the layers."""
