"""Jobs that stream a query's rows to a Kafka topic, each at least once."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "messaging"
