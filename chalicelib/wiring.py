"""The composition root: the only place that chooses adapters. Everything is made on first use, once a process."""

from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

from chalicelib.domain.lanes import LANES, Lane
from chalicelib.engine.core import Engine, EngineSettings

if TYPE_CHECKING:
    from chalicelib.aws.cloud import Clouds
    from chalicelib.aws.outputs import S3Store
    from chalicelib.config import Settings
    from chalicelib.domain.job import Job
    from chalicelib.domain.run import Run
    from chalicelib.engine.running.work import Worker
    from chalicelib.http.pipeline import Services

FAN_WIDTH = 16
"""Calls to AWS that a dispatcher or an api request may have under way at once."""
WORKER_THREADS = 10
"""As many as a batch has messages."""


class Wiring:
    """The parts of a running Chronos, on AWS."""

    def __init__(self, config: "Settings") -> None:
        self.settings = config

    @cached_property
    def engine(self) -> Engine:
        from chalicelib.aws.clients import client, stock_client
        from chalicelib.aws.clock import SystemClock, SystemIds
        from chalicelib.aws.dynamodb import AwsDatabase
        from chalicelib.aws.fan import ThreadedFan
        from chalicelib.aws.job_secrets import AwsJobSecrets
        from chalicelib.aws.mail import SesMailer
        from chalicelib.aws.sqs import SqsQueue
        from chalicelib.aws.ssm import SsmSecrets
        from chalicelib.aws.telemetry import LogTelemetry
        from chalicelib.executors.base import ExecutorSettings
        from chalicelib.executors.web import GuardedWeb
        from chalicelib.identity.passwords import Argon2

        config, clock, fan = self.settings, SystemClock(), ThreadedFan(FAN_WIDTH)
        tables = {
            "catalog": config.catalog_table,
            "timers": config.timers_table,
            "runs": config.runs_table,
            "audit": config.audit_table,
        }
        sqs = client("sqs")
        return Engine(
            db=AwsDatabase(client("dynamodb"), tables, fan, clock.sleep),  # type: ignore[arg-type]
            lanes={lane: SqsQueue(sqs, config.queues[lane], fan, clock.sleep) for lane in LANES},
            clock=clock,
            ids=SystemIds(),
            telemetry=LogTelemetry("chronos", config.log_level, config.stage),
            secrets=SsmSecrets(lambda: client("ssm"), f"/chronos/{config.stage}", clock),
            settings=EngineSettings(
                lead_ms=config.lead_ms,
                shards=config.shards,
                plan=config.plan,
                memory_mb=config.memory_mb,
                architecture=config.architecture,
                dispatchers=config.dispatchers,
                job_roles=config.job_roles,
                lanes_on=frozenset(config.lanes),
                open_to_all=config.registration == "open",
                app_url=config.app_url,
                origins=config.cors_origins,
            ),
            fan=fan,
            target_of=_target_of,
            class_of=_class_of,
            links=self._files,
            hashing=Argon2(),
            mailer=SesMailer(lambda: stock_client("sesv2"), config.mail_from) if config.mail_from else None,
            web=GuardedWeb(ExecutorSettings(allow_networks=config.allow_networks), clock),
            tenant_secrets=AwsJobSecrets(client, config.stage, clock),
        )

    @cached_property
    def _clouds(self) -> "Clouds":
        from chalicelib.aws.clients import stock_client
        from chalicelib.aws.cloud import Clouds

        return Clouds(self.settings.job_roles, self.engine.clock, stock_client)

    @cached_property
    def _files(self) -> "S3Store":
        from chalicelib.aws.clients import stock_client
        from chalicelib.aws.clock import SystemClock
        from chalicelib.aws.outputs import S3Store

        max_bytes = self.settings.max_output_mb << 20
        return S3Store(lambda: stock_client("s3"), self.settings.outputs_bucket, SystemClock(), max_bytes)

    @cached_property
    def services(self) -> "Services":
        """What the api works with."""
        from chalicelib.http.pipeline import Services
        from chalicelib.http.rate_limit import Buckets, Policy
        from chalicelib.identity.access import authenticate

        settings, buckets = self.settings, Buckets(Policy())
        return Services(self.engine, authenticate, settings.cors_origins, buckets)

    def worker(self, lane: Lane) -> "Worker":
        """The worker of a lane."""
        return self._workers[lane]

    @cached_property
    def _workers(self) -> dict[Lane, "Worker"]:
        from concurrent.futures import ThreadPoolExecutor

        from chalicelib.aws.pool import ThreadPool
        from chalicelib.aws.sandbox import LambdaSandbox
        from chalicelib.engine.ledger.job_state import StoredJobState
        from chalicelib.engine.ledger.run_history import StoredRunHistory
        from chalicelib.engine.running.signing import callback_url
        from chalicelib.engine.running.work import Worker
        from chalicelib.executors.attempt import attempts
        from chalicelib.executors.base import ExecutorSettings, Means
        from chalicelib.ports.sandbox import NoSandbox

        pool = ThreadPool(ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="run"))
        settings = ExecutorSettings(
            allow_networks=self.settings.allow_networks, mount=self.settings.mount or None
        )
        clock, address = self.engine.clock, partial(callback_url, self.engine.secrets)
        secrets = self.engine.tenant_secrets
        means = Means(
            outputs=self._files.of,
            cloud=self._clouds.of,
            state=partial(StoredJobState, self.engine),
            history=partial(StoredRunHistory, self.engine),
            sandbox=LambdaSandbox(self.settings.sandbox) if self.settings.sandbox else NoSandbox(),
        )
        execute = attempts(clock, settings, address, secrets, means)
        return {lane: Worker(self.engine, lane, execute, pool) for lane in LANES}


def _target_of(job: "Job", run: "Run") -> str | None:
    """As the job types say it; they are loaded when some limit asks for it."""
    from chalicelib.executors.attempt import target_of

    return target_of(job, run)


def _class_of(type_: str) -> Lane:
    from chalicelib.executors.registry import lane

    return lane(type_)


@lru_cache(maxsize=1)
def wiring() -> Wiring:
    """This process's parts."""
    from chalicelib.config import settings

    return Wiring(settings())
