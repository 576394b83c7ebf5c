"""Jobs that run SQL. `opening.py` connects through the outbound guard; other types read through it too."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "data"
