"""The place where scripts run, apart from everything else."""

from typing import Any, Protocol

from chalicelib.ports.stop import Stop


class SandboxError(Exception):
    """There is no answer of the sandbox. `code`: `timeout`, `stopped`, `died`, `busy`, `refused` or `connection`.

    The message is fit for the job's owner. `retryable`: whether another try may help.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable = code, message, retryable


class Sandbox(Protocol):
    """Runs one script at a time in each of its environments; those of different owners share none."""

    def run(self, owner: str, event: dict[str, Any], seconds: float, stop: Stop) -> dict[str, Any]:
        """Run a script, and wait at most so long for its end, or until `stop` is wanted. SandboxError otherwise.

        `event`: program (shell, python, node), script, arguments, environment, stdin, seconds (of the script itself),
        memory_mb, processes, file_bytes, output_bytes. The answer: ended (exit, signal, time, output), code, seconds,
        cpu_seconds, stdout and stderr in base64, stdout_bytes and stderr_bytes as they were written; or refused, why.
        """
        ...


class NoSandbox:
    """A deployment that runs no scripts."""

    def run(self, owner: str, event: dict[str, Any], seconds: float, stop: Stop) -> dict[str, Any]:  # noqa: ARG002
        raise SandboxError("refused", "Scripts are not run in this deployment.", retryable=False)
