"""The emulator's launcher: ministack in this process, with what a user of `make run` would miss put right.

Runs under .venv-emulator's python, as a file, from a clean environment. Each patch is a function that says why. They
lean on ministack's inside, so its version is checked; with a newer one, try first which of them are still needed.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

VERSION = "1.5.33"
API_STAGE = "api"
IDLE_POLL_SECONDS = 0.02
SAVE_SECONDS = 3.0
LIVELY = ("dynamodb", "sqs", "scheduler")
"""Services whose state changes while jobs run; the others are saved when something was deployed, and at the end."""
logger = logging.getLogger("chronos.emulator")
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def sweep_schedules_every_second() -> None:
    """The stock sweep every 10 s makes a tick up to 10 s late."""
    from ministack.services import scheduler

    scheduler._SCHEDULE_TICK_INTERVAL = 1


def fill_in_scheduler_tokens() -> None:
    """The stock version hands `<aws.scheduler.scheduled-time>` to the function literally."""
    from ministack.services import eventbridge

    invoke = eventbridge._invoke_target

    def filled(target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None) -> Any:
        if "<aws.scheduler." in (target.get("Input") or ""):
            target = {**target, "Input": with_tokens(target["Input"], event)}
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = filled


def with_tokens(text: str, event: dict[str, Any]) -> str:
    """The input with EventBridge Scheduler's context attributes; times are whole seconds in UTC."""
    when = datetime.fromtimestamp(float(event["Time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tokens = {
        "scheduled-time": when,
        "schedule-arn": next(iter(event["Resources"]), ""),
        "execution-id": event["EventId"],
        "attempt-number": "1",
    }
    for name, value in tokens.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


class Impatient:
    """An event whose wait is short."""

    def __init__(self, event: threading.Event) -> None:
        self._event, self.set, self.clear, self.is_set = event, event.set, event.clear, event.is_set

    def wait(self, timeout: float) -> bool:
        return self._event.wait(min(timeout, IDLE_POLL_SECONDS))


def poll_queues_often() -> None:
    """The stock poller looks once a second when idle, so a delayed message is found up to a second late."""
    from ministack.services import lambda_svc

    lambda_svc._esm_wake = Impatient(lambda_svc._esm_wake)


def unzip_once(cache: Path) -> None:
    """The stock version unpacks the code for each worker process: half a second of CPU a cold start."""
    from ministack.core import lambda_runtime

    lock = threading.Lock()

    class Shared(zipfile.ZipFile):
        def extractall(self, path: Any = None, *_: Any) -> None:
            with open(str(self.filename), "rb") as file:
                target = cache / str(hash(file.read()) & (2**63 - 1))
            with lock:
                if not target.exists():
                    partial = target.with_suffix(".part")
                    shutil.rmtree(partial, ignore_errors=True)
                    super().extractall(partial)
                    partial.rename(target)
            os.rmdir(path)
            os.symlink(target, path)

    names = {name: getattr(zipfile, name) for name in zipfile.__all__}
    lambda_runtime.zipfile = SimpleNamespace(**{**names, "ZipFile": Shared})


def authorize_batches_like_aws() -> None:
    """IAM has no actions for batches: AWS asks for SQS's single action, and for each PartiQL statement's own."""
    from ministack.core import iam_actions

    action_of, checks_of = iam_actions.extract_iam_action, iam_actions.dynamodb_transaction_checks

    def action(*request: Any) -> str | None:
        found: str | None = action_of(*request)
        return found.removesuffix("Batch") if found and found.startswith("sqs:") else found

    def checks(name: str, body: bytes, region: str, account: str) -> Any:
        if name != "dynamodb:BatchExecuteStatement":
            return checks_of(name, body, region, account)
        return [_partiql(each["Statement"], region, account) for each in json.loads(body)["Statements"]]

    iam_actions.extract_iam_action, iam_actions.dynamodb_transaction_checks = action, checks


def _partiql(statement: str, region: str, account: str) -> tuple[str, str]:
    """(action, table's ARN) of a statement."""
    verb, _, rest = statement.strip().partition(" ")
    table = rest.strip().removeprefix("INTO ").rpartition("FROM ")[2].split()[0].strip('"')
    return f"dynamodb:PartiQL{verb.capitalize()}", f"arn:aws:dynamodb:{region}:{account}:table/{table}"


def save_now(only: tuple[str, ...] = ()) -> None:
    """Write the state of some services (or all) to STATE_DIR."""
    from ministack import app
    from ministack.core.persistence import save_all

    services = app._build_persistence_save_dict()
    save_all({name: state for name, state in services.items() if not only or name in only})


def save_now_and_then(stop: threading.Event) -> None:
    """The stock version saves on SIGTERM only: a crash would lose everything since the start."""

    def loop() -> None:
        pause = SAVE_SECONDS
        while not stop.wait(pause):
            begun = time.monotonic()
            save_now(LIVELY)
            pause = max(SAVE_SECONDS, 20 * (time.monotonic() - begun))

    threading.Thread(target=loop, daemon=True, name="saver").start()


def end_with(parent: int, stop: Callable[[], object]) -> None:
    """A `make run` that is killed outright must not leave its emulator behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        stop()

    if parent:
        threading.Thread(target=watch, daemon=True, name="watch-parent").start()


def newest_api() -> str | None:
    """The id of the newest REST API that has the stage."""
    from ministack.services import apigateway_v1

    found = [
        (api.get("createdDate", 0), key[-1])
        for key, api in list(apigateway_v1._rest_apis._data.items())
        if API_STAGE in apigateway_v1._stages_v1._data.get((*key[:-1], key[-1]), {})
    ]
    return max(found)[1] if found else None


def rewritten(scope: dict[str, Any], api: str) -> dict[str, Any]:
    """The request as the emulator's execute-api path form expects it."""
    prefix = f"/_aws/execute-api/{api}"
    raw = scope.get("raw_path") or scope["path"].encode()
    return {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + raw}


def serve_api_at_a_stable_address(app: Asgi, api_id: Callable[[], str | None]) -> Asgi:
    """The REST API has a new id in each new stack; users keep http://127.0.0.1:PORT/api."""

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif path == "/_chronos/save":
            await asyncio.to_thread(save_now)
            await _answer(send, 200, {"saved": True})
        elif path == f"/{API_STAGE}" or path.startswith(f"/{API_STAGE}/"):
            api = api_id()
            if api:
                await app(rewritten(scope, api), receive, send)
            else:
                await _answer(send, 503, _problem(503, "unavailable", "The app is not deployed yet."))
        else:
            await app(scope, receive, send)

    return wrapped


def _problem(status: int, code: str, detail: str) -> dict[str, Any]:
    kind, title = f"urn:chronos:problem:{code}", HTTPStatus(status).phrase
    return {"type": kind, "title": title, "status": status, "detail": detail, "code": code}


async def _answer(send: Any, status: int, body: dict[str, Any]) -> None:
    kind = b"application/problem+json" if status >= 400 else b"application/json"
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def patched(stop: threading.Event) -> Asgi:
    """ministack's ASGI app with everything above."""
    import ministack.app

    installed = version("ministack")
    if installed != VERSION:
        raise SystemExit(f"This patches ministack {VERSION}, but {installed} is installed.")
    sweep_schedules_every_second()
    fill_in_scheduler_tokens()
    poll_queues_often()
    authorize_batches_like_aws()
    cache = Path(os.environ["TMPDIR"]) / "code"
    cache.mkdir(parents=True, exist_ok=True)
    unzip_once(cache)
    save_now_and_then(stop)
    return serve_api_at_a_stable_address(ministack.app.app, newest_api)


async def serve(options: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT; then save, and stop the functions' processes."""
    from hypercorn.asyncio import serve as run
    from hypercorn.config import Config

    loop, stopping, stop = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = patched(stop)
    end_with(options.parent, lambda: loop.call_soon_threadsafe(stopping.set))
    config = Config()
    config.bind = [f"127.0.0.1:{options.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = "WARNING"
    await run(app, config, shutdown_trigger=stopping.wait)
    stop.set()


def main() -> None:
    """Serve; the process ends here, since the emulator's threads have no end of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int, default=0, help="end when this process is gone")
    options = parser.parse_args()
    asyncio.run(serve(options))
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
