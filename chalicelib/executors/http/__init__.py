"""Jobs that call a URL. `transport.py` dials through the outbound guard, within the deadline."""
