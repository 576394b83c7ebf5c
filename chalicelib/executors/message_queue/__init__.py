"""Jobs that publish to queues, forward between them, empty them, or look how full they are."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "messaging"
