"""What users can do: a folder a capability, whose `api.py` lists its routes. Over executors, engine, ports, domain.

A new folder with an `api.py` is a new capability: `registry.py` finds it, and nothing else has to change.
"""
