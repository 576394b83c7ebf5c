"""Jobs as values, for the tests of pure decisions."""

from typing import Any

from chalicelib.domain.job import Job
from chalicelib.engine.records import encode_job
from chalicelib.engine.wheel.due_job import DueJob, decode_due_job
from tests.support.world import NOON


def some_job(schedule: Any = "0 * * * *", **fields: Any) -> Job:
    """A job that was created at noon, hourly unless told otherwise."""
    return Job.model_validate(
        {
            "name": "hourly",
            "type": "dummy",
            "schedule": schedule,
            "id": "job_" + "0" * 26,
            "tenant": "local",
            "shard": 0,
            "created_ms": NOON,
            "updated_ms": NOON,
            **fields,
        }
    )


def due_job(job: Job) -> DueJob:
    """The job as the dispatcher reads it."""
    return decode_due_job(encode_job(job))
