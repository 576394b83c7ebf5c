"""What jobs can do: one folder a type, with `spec.py` (light) and `run.py` (loaded on first use).

May import domain and ports. A new folder is a new type: `registry.py` finds it, nothing else changes.
"""
