"""The emulator's launcher: ministack in this process, patched, with its state saved and one address for the API.

Runs under .venv-emulator's python, as a file, from a clean environment.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # the functions' processes do not inherit it
from infra.local import patches

API_STAGE = "api"
SAVE_SECONDS = 3.0
LIVELY = ("dynamodb", "sqs", "scheduler")
"""Services whose state changes while jobs run; the others are saved when something was deployed, and at the end."""
logger = logging.getLogger("chronos.emulator")
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


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


def patched(stop: threading.Event, allowed: Path | None = None) -> Asgi:
    """ministack's ASGI app with the patches, and with everything above."""
    import ministack.app

    patches.patch(Path(os.environ["TMPDIR"]) / "code")
    if allowed:
        patches.note_what_is_allowed(allowed)
    save_now_and_then(stop)
    return serve_api_at_a_stable_address(ministack.app.app, newest_api)


async def serve(options: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT; then save, and stop the functions' processes."""
    from hypercorn.asyncio import serve as run
    from hypercorn.config import Config

    loop, stopping, stop = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = patched(stop, options.allowed)
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
    parser.add_argument("--allowed", type=Path, help="note here what roles were allowed")
    options = parser.parse_args()
    asyncio.run(serve(options))
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
