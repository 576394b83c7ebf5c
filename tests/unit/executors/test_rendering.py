"""An attempt fills in its config's templates, fetches the secrets that it names, and keeps them to itself."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chalicelib.executors as package
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.retry import RetryPolicy
from chalicelib.domain.run import Run, RunStatus
from chalicelib.domain.templates import SecretRef
from chalicelib.executors import registry
from chalicelib.executors.attempt import attempts, target_of
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.contact import Contact
from chalicelib.ports.job_secrets import NoJobSecrets
from chalicelib.ports.run_log import RunLog
from tests.support.memory import FakeClock, MemoryJobSecrets
from tests.support.world import NOON, TENANT

SECRET = 'hun"ter 2/ü'


@pytest.fixture
def secrets() -> MemoryJobSecrets:
    made = MemoryJobSecrets()
    made.put(TENANT, "secrets.token", SECRET)
    made.put(
        TENANT,
        "secretsmanager.db",
        json.dumps({"password": SECRET, "port": 5432, "pin": 987654, "tls": True, "none": None}),
    )
    made.put("another", "secrets.theirs", "theirs")
    return made


def job_of(config: dict[str, Any], **fields: Any) -> Job:
    stored = {"name": "nightly", "type": "dummy", "config": config, "tags": {"team": "data"}, "id": "job_1"}
    times = {"created_ms": NOON, "updated_ms": NOON, "shard": 0}
    return Job.model_validate({**stored, **times, "tenant": TENANT, **fields})


def run_of(**fields: Any) -> Run:
    given: dict[str, Any] = {"attempt": 2, **fields}
    return Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "manual", NOON, NOON + 5_000, 1, **given)


def outcome_of(
    config: dict[str, Any], secrets: Any = None, *, run: Run | None = None, **fields: Any
) -> Outcome:
    clock = FakeClock()
    attempt = attempts(clock, ExecutorSettings(), secrets=secrets or MemoryJobSecrets())
    return attempt(job_of(config, **fields), run or run_of(), clock.monotonic() + 10, Contact())


@pytest.mark.parametrize(
    ("schedule", "start", "why"),
    [
        ("0 0 6 * * *", "2027-01-15T06:00:00Z", "the day's moment"),
        ("0 0 12 * * *", "2027-01-14T12:00:00Z", "the run's own does not count"),
        ("0 0 12 * * MON-FRI", "2027-01-14T12:00:00Z", "the day before was a weekday"),
        (["0 0 6 * * *", "0 30 11 * * *"], "2027-01-15T11:30:00Z", "the later of two schedules"),
        ({"kind": "interval", "every": "PT7H"}, "2027-01-15T10:30:00Z", "none before: the creation"),
        (
            {"kind": "cron", "expression": "@daily", "start_at": "2027-01-15T11:00:00Z"},
            "2027-01-15T10:30:00Z",
            "as well",
        ),
        ({"kind": "manual"}, "2027-01-15T10:30:00Z", "without a schedule"),
    ],
    ids=str,
)
def test_a_run_stands_for_the_time_since_the_moment_before(schedule: Any, start: str, why: str) -> None:
    window = "${{ run.window.start }} ${{ run.window.end }}"
    found = outcome_of({"output": window}, schedule=schedule, created_ms=NOON - 5_400_000)
    assert found == Succeeded({"output": f"{start} 2027-01-15T12:00:00Z"}), why


def test_the_run_and_its_job_are_filled_in() -> None:
    output = {
        "id": "${{ run.id }}",
        "attempt": "${{ run.attempt }}",
        "when": "${{ run.nominal | tz('Europe/Berlin') | date('%d.%m.%Y %H:%M') }}",
        "scheduled": "${{ run.scheduled }}",
        "why": "${{ run.trigger }} of ${{ job.name }} (${{ job.id }}) of ${{ job.tags.team }} at ${{ tenant }}",
    }
    assert outcome_of({"output": output}) == Succeeded(
        {
            "output": {
                "id": "run_1",
                "attempt": 2,
                "when": "15.01.2027 13:00",
                "scheduled": "2027-01-15T12:00:05Z",
                "why": "manual of nightly (job_1) of data at local",
            }
        }
    )


def test_what_a_trigger_changes_is_filled_in_too() -> None:
    run = run_of(overrides={"output": "again ${{ run.id }}"})
    assert outcome_of({"output": "x"}, run=run) == Succeeded({"output": "again run_1"})


def test_secrets_are_read_as_they_are_named_and_those_of_no_other_config(secrets: MemoryJobSecrets) -> None:
    outcome_of({"output": "${{ run.id }} $${{ secrets.token }}"}, secrets)
    assert secrets.asked == []
    outcome_of({"output": ["${{ secrets.token }}", "${{ secretsmanager.db.password }}"]}, secrets)
    assert secrets.asked == [(TENANT, "secrets.token"), (TENANT, "secretsmanager.db.password")]


@pytest.mark.parametrize(
    ("template", "shown", "why"),
    [
        ("${{ secrets.token }}", "***", "alone"),
        ("Bearer ${{ secrets.token }}!", "Bearer ***!", "in a text"),
        ("${{ secrets.token | json }}", "***", "as JSON"),
        ("${{ secrets.token | base64 }}", "***", "in base64"),
        ("${{ secrets.token | url }}", "***", "in a URL"),
        ("${{ secrets.token | upper }}", "***", "in capitals"),
        ("${{ secretsmanager.db.password }}", "***", "a field"),
        ("${{ secretsmanager.db.port }}", 5432, "a number stays one"),
        ("port ${{ secretsmanager.db.port }}", "port 5432", "and a short one is no secret"),
        ("pin ${{ secretsmanager.db.pin }}", "pin ***", "a long one is"),
        ("tls: ${{ secretsmanager.db.tls }}", "tls: true", "nor is what may be true or false"),
        ("${{ secretsmanager.db }}", "***", "all of it"),
    ],
)
def test_a_secret_that_comes_back_is_masked(
    template: str, shown: Any, why: str, secrets: MemoryJobSecrets
) -> None:
    assert outcome_of({"output": template}, secrets) == Succeeded({"output": shown}), why


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[str]:
    """A job type that tells what is in its config wherever it can, and fails."""
    folder = tmp_path / "talkative"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "spec.py").write_text(TALKATIVE_SPEC)
    (folder / "run.py").write_text(TALKATIVE_RUN)
    package.__path__.append(str(tmp_path))
    yield "talkative"
    package.__path__.remove(str(tmp_path))


class Witness(Contact):
    """`seen` are the lines of the log, taken from it before the attempt ended."""

    seen: list[Any]


TALKATIVE_SPEC = """
from pydantic import BaseModel
from chalicelib.executors.base import ExecutorSpec

class Config(BaseModel):
    said: str

SPEC = ExecutorSpec(type="talkative", config=Config, title="T", description="D.")
"""
TALKATIVE_RUN = """
import json
from base64 import b64encode
from chalicelib.domain.outcome import Failed

def execute(call):
    said = call.config.said
    call.log.info(f"sent {said}", headers={"authorization": said}, escaped=json.dumps(said))
    call.progress(50, f"half of {said}")
    call.stop.seen = [(line.message, line.fields) for line in call.log.drain()]
    coded = b64encode(f"user:{said}".encode()).decode()
    return Failed("connection", f"no {said}", result={said: [said, coded, said[:6]]})
"""


def test_no_message_line_of_the_log_or_report_of_progress_tells_it(
    talkative: str, secrets: MemoryJobSecrets
) -> None:
    clock, contact = FakeClock(), Witness()
    attempt = attempts(clock, ExecutorSettings(), secrets=secrets)
    job = job_of({"said": "${{ secrets.token }}"}, type=talkative)
    outcome = attempt(job, run_of(), clock.monotonic() + 10, contact)
    assert isinstance(outcome, Failed)
    assert outcome.message == "no ***"
    assert outcome.result is not None
    assert outcome.result["***"][0] == outcome.result["***"][2] == "***"
    [line] = contact.seen
    assert line == ("sent ***", {"headers": {"authorization": "***"}, "escaped": '"***"'})
    assert contact.latest is not None
    assert contact.latest.message == "half of ***"
    assert SECRET not in repr((outcome, contact.latest))
    assert b64encode(SECRET.encode()).decode()[4:-4] not in repr(outcome)


def test_a_log_without_secrets_tells_what_it_is_told() -> None:
    log = RunLog()
    log.warning("a", b=1)
    assert [(line.message, line.fields) for line in log.drain()] == [("a", {"b": 1})]


@pytest.mark.parametrize(
    ("template", "message", "why"),
    [
        ("${{ secrets.gone }}", "/output cannot be filled in: there is no secret secrets.gone.", "not there"),
        ("${{ secrets.theirs }}", "there is no secret secrets.theirs", "another tenant's"),
        ("${{ secretsmanager.token }}", "no secret secretsmanager.token", "in the other store"),
        ("${{ secrets.token.user }}", "is no JSON object", "no fields"),
        ("${{ secretsmanager.db.gone }}", "has no text, number or boolean 'gone'", "another field"),
        ("${{ secretsmanager.db.none }}", "has no text, number or boolean 'none'", "an empty field"),
        ("${{ job.tags.gone }}", "no tag 'gone'", "a tag that was taken away"),
        ("${{", "expected a name", "stored before templates were checked"),
    ],
)
def test_what_cannot_be_filled_in_fails_the_attempt_for_good(
    template: str, message: str, why: str, secrets: MemoryJobSecrets
) -> None:
    outcome = outcome_of({"output": template}, secrets)
    assert isinstance(outcome, Failed), why
    assert outcome.kind == "template"
    assert message in outcome.message
    assert not RetryPolicy().is_retryable(outcome)


def test_a_store_that_does_not_answer_fails_the_attempt_for_now(secrets: MemoryJobSecrets) -> None:
    secrets.failures.append(Unavailable("The Parameter Store did not answer."))
    outcome = outcome_of({"output": "${{ secrets.token }}"}, secrets)
    expected = "secrets.token cannot be read now. The Parameter Store did not answer."
    assert outcome == Failed("template", expected, retryable=True)
    assert RetryPolicy().is_retryable(outcome)


class Slow(MemoryJobSecrets):
    """Each read takes six seconds."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def read(self, tenant: str, ref: SecretRef) -> str | None:
        self._clock.sleep(6)
        return super().read(tenant, ref) or "text"


def test_an_attempt_does_not_go_on_reading_secrets_when_its_time_is_up() -> None:
    clock = FakeClock()
    secrets = Slow(clock)
    config = {"output": [f"${{{{ secrets.s{number} }}}}" for number in range(20)]}
    attempt = attempts(clock, ExecutorSettings(), secrets=secrets)
    outcome = attempt(job_of(config), run_of(), clock.monotonic() + 10, Contact())
    assert isinstance(outcome, Failed)
    assert (outcome.kind, len(secrets.asked)) == ("timeout", 2)


def test_a_deployment_without_secrets_says_so() -> None:
    outcome = outcome_of({"output": "${{ secrets.token }}"}, NoJobSecrets())
    assert isinstance(outcome, Failed)
    assert "Jobs have no secrets in this deployment." in outcome.message


def test_a_value_that_does_not_fit_is_told_by_its_place_and_never_shown(secrets: MemoryJobSecrets) -> None:
    outcome = outcome_of({"duration_seconds": "${{ secrets.token }}", "output": SECRET}, secrets)
    expected = "With its templates filled in, the config does not fit its type: duration_seconds."
    assert outcome == Failed("template", expected)


def test_a_config_without_templates_that_does_not_fit_is_no_fault_of_templates() -> None:
    outcome = outcome_of({"duration_seconds": "x"})
    assert isinstance(outcome, Failed)
    assert outcome.kind == "unknown"


def test_limits_go_by_the_host_that_templates_lead_to(secrets: MemoryJobSecrets) -> None:
    url = "https://${{ job.tags.team }}.example.com/${{ secrets.token }}"
    assert target_of(job_of({"url": url}, type="http"), run_of()) == "data.example.com"
    assert target_of(job_of({"url": "https://${{ gone }}/"}, type="http"), run_of()) is None
    assert secrets.asked == []


def test_every_type_fails_in_words_when_its_config_cannot_be_filled_in() -> None:
    for type_ in registry.types():
        outcome = outcome_of({"x": "${{ nothing }}"}, type=type_)
        assert isinstance(outcome, Failed)
        assert outcome.kind == "template"


@pytest.mark.parametrize(
    ("kind", "status", "is_doubted", "why"),
    [
        ("authentication", None, True, "a password was not taken"),
        ("http_4xx", 401, True, "nor a token"),
        ("http_4xx", 403, True, "or it has lost its rights"),
        ("http_4xx", 404, False, "something else is wrong"),
        ("connection", None, False, "nobody has seen it"),
    ],
)
def test_secrets_that_the_other_side_refuses_are_doubted(
    kind: str, status: int | None, is_doubted: bool, why: str, refusing: str, secrets: MemoryJobSecrets
) -> None:
    config = {"kind": kind, "status": status, "secret": "${{ secrets.token }}${{ secrets.token }}"}
    outcome_of(config, secrets, type=refusing)
    assert secrets.doubted == ([(TENANT, "secrets.token")] if is_doubted else []), why


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[str]:
    """A job type that fails as it is told."""
    folder = tmp_path / "refusing"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    fields = "kind: str\n    status: int | None\n    secret: str"
    spec = TALKATIVE_SPEC.replace("said: str", fields).replace("talkative", "refusing")
    (folder / "spec.py").write_text(spec)
    (folder / "run.py").write_text(
        "from chalicelib.domain.outcome import Failed\n\n"
        "def execute(call):\n    return Failed(call.config.kind, 'no', call.config.status)\n"
    )
    package.__path__.append(str(tmp_path))
    yield "refusing"
    package.__path__.remove(str(tmp_path))
