"""Why an occurrence ended as it did, in a sentence for a person."""

from collections.abc import Mapping

from chalicelib.domain.run import RunStatus

WHY_SKIPPED: Mapping[str, str] = {
    "overlap": "As many runs of the job were active as its concurrency limit allows, and its policy is to skip.",
    "misfire": "It was missed: the dispatcher saw it too late, and the job's misfire rule let it go.",
    "calendar": "The job's calendar excludes its day, or another occurrence was moved to the same moment.",
    "paused": "The job was paused when it was due.",
    "skip_next": "It was among the next occurrences that were to be skipped, as asked.",
    "policy": "A policy forbade it.",
    "quota": "The executions that the tenant's plan allows in a month were used up.",
    "superseded": "The job was changed or deleted after it had been dispatched, and before it could start.",
    "start_deadline": "It could not start within the job's start deadline.",
    "buffer_full": "As many runs as the job's buffer holds were waiting for a slot already.",
    "restored": "The tables were restored to a moment before it. It may have run, and its record is lost.",
}
"""By skip reason."""

ENDED: Mapping[RunStatus, str] = {
    RunStatus.PENDING: "It is accepted and waits for a worker.",
    RunStatus.RUNNING: "It is running.",
    RunStatus.WAITING: "Its work goes on elsewhere; it waits for that.",
    RunStatus.RETRYING: "An attempt failed; another one follows.",
    RunStatus.SUCCEEDED: "It ran and succeeded.",
    RunStatus.FAILED: "It ran, and its last attempt failed.",
    RunStatus.TIMED_OUT: "It ran, and its last attempt ran out of time.",
    RunStatus.CANCELLED: "It was cancelled.",
    RunStatus.SKIPPED: "It was skipped.",
}
"""By the run's status."""
