"""An AWS account in the emulator: what is in it, a checkout whose commands see it, and a stage as its users do."""

import re
import subprocess
import sys
from typing import Any

import requests

from infra.bundle import local_architecture
from infra.local import stack
from tests.support.checkout import Checkout

CHALICE = "import sys; from chalice.cli import main; sys.exit(main())"


class Place:
    """A checkout with an account: its commands see the emulator as AWS, by the usual variables."""

    def __init__(self, checked_out: Checkout, url: str) -> None:
        self.folder, self._checkout, self._url = checked_out.folder, checked_out, url

    def infra(self, command: str, stage: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self._checkout.run("infra", command, "--stage", stage, *options, env=self._env(env))

    def deploy(self, stage: str) -> str:
        """What it said."""
        done = self.infra("deploy", stage)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def chalice(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", CHALICE, *arguments],
            cwd=self.folder,
            env=self._checkout.env(self._env({"PYTHONDONTWRITEBYTECODE": "1"})),  # it would be other code
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def change(self, version: str) -> None:
        """Give the code a change that /health shows."""
        base = self.folder / "chalicelib" / "features" / "base.py"
        base.write_text(re.sub(r'VERSION = ".*"', f'VERSION = "{version}"', base.read_text()))

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        here = {"ARCHITECTURE": local_architecture(), "AWS_EC2_METADATA_DISABLED": "true"}
        return {**stack.variables(self._url), **here, **more}


class Account:
    """What is in the emulator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = stack.client(service, self.url)
        return self._clients[service]

    def outputs(self, stage: str) -> dict[str, str]:
        found = self.client("cloudformation").describe_stacks(StackName=f"chronos-{stage}")["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}

    def function(self, name: str) -> Any:
        return self.client("lambda").get_function_configuration(FunctionName=name)

    def everything(self, stage: str) -> list[str]:
        """The names and ARNs of what there is of a stage."""
        asked = [
            ("dynamodb", "list_tables", "TableNames"),
            ("s3", "list_buckets", "Buckets"),
            ("sqs", "list_queues", "QueueUrls"),
            ("lambda", "list_functions", "Functions"),
            ("lambda", "list_event_source_mappings", "EventSourceMappings"),
            ("iam", "list_roles", "Roles"),
            ("scheduler", "list_schedule_groups", "ScheduleGroups"),
            ("scheduler", "list_schedules", "Schedules"),
            ("logs", "describe_log_groups", "logGroups"),
        ]
        rows = [each for name, call, key in asked for each in getattr(self.client(name), call)().get(key, [])]
        return [text for text in map(str, rows) if f"chronos-{stage}" in text]


class Deployed:
    """A stage as its users see it."""

    def __init__(self, account: Account, said: str) -> None:
        self.key = re.findall(r"^    (chronos_\S+)$", said, re.MULTILINE)[0]
        self.api = re.findall(r"https://(\w+)\.execute-api", said)[0]
        self.url = f"{account.url}/_aws/execute-api/{self.api}/api"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None
