"""Jobs that look after files: on S3 as the role that they name, and on the file system that the operator mounts."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "data"
