"""Jobs that look after a Redis or Valkey cache. `redis_connection.py` dials through the outbound guard."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "data"
