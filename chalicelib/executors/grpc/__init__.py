"""Jobs that call a method of a gRPC service. No code is generated: the server or the job describes the messages."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "messaging"
