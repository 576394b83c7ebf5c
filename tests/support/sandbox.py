"""The sandbox's function as a process of its own, as Lambda runs it: the code is the template's."""

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.ports.sandbox import SandboxError
from chalicelib.ports.stop import Stop
from infra.sandboxed import code

PYTHON = "/usr/bin/python3"
"""Not the tests' own, which another user may not read."""
NOBODY = 65534
_LANDLOCK = "libc.syscall(444, None, 0, 1)"
_MAIN = """
import json, sys
class Context:
    def get_remaining_time_in_millis(self):
        return 900_000
for line in sys.stdin:
    print(json.dumps(handler(json.loads(line), Context())), flush=True)
"""
DEFAULTS: dict[str, Any] = {
    "program": "shell",
    "script": "",
    "stdin": "",
    "arguments": [],
    "environment": {},
    "seconds": 10,
    "memory_mb": 256,
    "processes": 64,
    "file_bytes": 10_000_000,
    "output_bytes": 100_000,
}


@dataclass(frozen=True)
class Ended:
    """How a script ended."""

    answer: dict[str, Any]

    @property
    def stdout(self) -> str:
        return base64.b64decode(self.answer["stdout"]).decode(errors="replace")

    @property
    def stderr(self) -> str:
        return base64.b64decode(self.answer["stderr"]).decode(errors="replace")

    @property
    def how(self) -> tuple[str, int]:
        return self.answer["ended"], self.answer["code"]


class Sandbox:
    """One environment, that runs scripts one after another.

    `alone`: its process may choose a user for each script, as a superuser's may. Otherwise both are of one user, as
    they are in Lambda. Without `fences` the kernel is an older one, that knows no Landlock. `otherwise` replaces parts
    of the code. `within` is a command that runs it somewhere else.
    """

    def __init__(
        self,
        *,
        alone: bool,
        fences: bool = True,
        otherwise: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        program = code()
        for before, after in {**(otherwise or {}), **({} if fences else {_LANDLOCK: "-1"})}.items():
            assert before in program
            program = program.replace(before, after)
        mine: Any = (
            {} if alone or within or os.geteuid() else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        )
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [*within, PYTHON, "-c", program + _MAIN],
            env={
                "AWS_SECRET_ACCESS_KEY": "of the function's role",
                "PATH": os.defpath,
                **(environment or {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **mine,
        )

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the sandbox's process has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, script: str, program: str = "shell", **given: Any) -> Ended:
        return Ended(self.answer({**DEFAULTS, "script": script, "program": program, **given}))

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class ProcessSandbox:
    """The port over a process for each script."""

    def run(self, owner: str, event: dict[str, Any], seconds: float, stop: Stop) -> dict[str, Any]:
        """An answer, or SandboxError as of one that is not waited for any more."""
        sandbox = Sandbox(alone=True)
        answers: list[dict[str, Any]] = []

        def wait() -> None:
            with suppress(AssertionError):
                answers.append(sandbox.answer(event))

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        until = time.monotonic() + seconds
        try:
            while waiting.is_alive():
                waiting.join(0.05)
                if stop.is_wanted:
                    raise SandboxError("stopped", "The script is not waited for any more.", retryable=False)
                if time.monotonic() > until:
                    raise SandboxError("timeout", "The sandbox did not answer in time.")
        finally:
            sandbox.process.kill()
            waiting.join()
            sandbox.close()
        return answers[0]
