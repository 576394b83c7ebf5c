"""Jobs to measure with: typical ones, different from each other, due at one moment."""

from chalicelib.domain.ids import bucket_of, job_id
from chalicelib.domain.job import Job

NOON = 1_800_014_400_000


def jobs(count: int, *, type_: str = "dummy", shards: int = 64, first: int = 0) -> list[Job]:
    """Jobs that fire each hour at minute 1: due a minute after NOON. They are numbered from `first`."""
    made = []
    for number in range(first, first + count):
        identity = job_id(NOON - 86_400_000 + number, number.to_bytes(10, "big"))
        made.append(
            Job.model_validate(
                {
                    "id": identity,
                    "tenant": "local",
                    "name": f"hourly-{number}",
                    "type": type_,
                    "schedule": {"kind": "cron", "expression": "1 * * * *", "timezone": "Europe/Berlin"},
                    "shard": bucket_of(identity, shards),
                    "created_ms": NOON - 86_400_000,
                    "updated_ms": NOON - 86_400_000,
                }
            )
        )
    return made
