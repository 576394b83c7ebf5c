"""`make run` and `make reload`: package, emulator, stack, and an address to use; until Ctrl-C."""

import fcntl
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra import first, package
from infra.bundle import local_architecture
from infra.errors import Stop
from infra.local import process, stack
from infra.paths import CHRONOS, ROOT
from infra.project import for_people

FOLDER = CHRONOS / "local"
ENDPOINTS = CHRONOS / "endpoints.json"
DEPLOYED, OPENED = FOLDER / "deployed.json", FOLDER / "opened.json"
_HEALTHY_SECONDS = 40
_WARM = 3
_HELLO = """
Chronos is up:   {api}          (description: {api}/openapi.json)
API key:         {api_key}
Owner:           {email}, password {password}
A first job, every five seconds, and its runs:

  export KEY={api_key}
  curl -s {api}/jobs -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
    -d '{{"name": "hello", "type": "dummy", "schedule": "*/5 * * * * *"}}'
  curl -s {api}/runs -H "Authorization: Bearer $KEY"

AWS endpoint:    {aws}   (access key and secret: test; also in {endpoints})
After a change:  make reload          Stop: Ctrl-C (the data stays in {folder})
"""


def run(port: int) -> None:
    """Serve until SIGINT, SIGTERM, SIGHUP or the emulator's end."""
    with _only_one():
        stopping = _signals()
        process.check_python()
        process.check_port(port)
        _step("packaging the app")
        package.package(stack.STAGE, local_architecture(), stack.PACKAGED)
        _step(f"starting the AWS emulator on 127.0.0.1:{port}")
        emulator = process.start(port, FOLDER)
        try:
            deployed = _deploy(emulator.url)
            _greet(deployed, port)
            threading.Thread(target=_warm, args=(emulator.url, stopping), daemon=True).start()
            _wait(emulator, stopping)
        finally:
            ENDPOINTS.unlink(missing_ok=True)
            _step("stopping; saving the data")
            emulator.stop()


def reload() -> None:
    """Package what changed and update the running stack; its data stays."""
    if not ENDPOINTS.exists():
        raise Stop("Nothing is running here: start it with `make run`, in another terminal.")
    url = json.loads(ENDPOINTS.read_text())["aws"]
    begun = time.monotonic()
    _step("packaging the app")
    package.package(stack.STAGE, local_architecture(), stack.PACKAGED)
    deployed = _deploy(url)
    _step(f"reloaded {deployed.api} in {time.monotonic() - begun:.1f} s")
    _warm(url, threading.Event())


def _deploy(url: str) -> stack.Deployed:
    """Deploy unless the saved state already holds exactly this package at this address."""
    mark, now = DEPLOYED, (stack.PACKAGED / "fingerprint").read_text()
    known: dict[str, Any] = json.loads(mark.read_text()) if mark.exists() else {}
    deployed = stack.Deployed(f"{url}/api", url, known.get("outputs", {}))
    same = known.get("fingerprint") == now and known.get("url") == url and OPENED.exists()
    if not same or _trouble(deployed.api):
        _step("deploying the stack")
        deployed = stack.deploy(url, stack.PACKAGED)
        _keep(deployed)
    _step("waiting until it is healthy")
    until_healthy(deployed.api)
    mark.write_text(json.dumps({"fingerprint": now, "url": url, "outputs": dict(deployed.outputs)}))
    return deployed


def _keep(deployed: stack.Deployed) -> None:
    """What opens the API has to be known as long as the data is there. If it is lost, another key is made."""
    opened = deployed.opened
    if opened is None and not OPENED.exists():
        dynamodb = stack.client("dynamodb", deployed.aws)
        opened = first.provide(dynamodb, deployed.outputs, stack.TENANT, stack.OWNER, new_key=True)
    if opened:
        _write_for_owner(OPENED, json.dumps(asdict(opened)))


def _write_for_owner(path: Path, text: str) -> None:
    """All at once, readable by this user alone: it opens the API."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)


def _greet(deployed: stack.Deployed, port: int) -> None:
    opened = first.Opened(**json.loads(OPENED.read_text()))
    endpoints = {
        "api": deployed.api,
        "api_key": opened.api_key,
        "tenant": opened.tenant,
        "owner": {"email": opened.email, "password": opened.password},
        "aws": deployed.aws,
        "openapi": f"{deployed.api}/openapi.json",
        "region": stack.REGION,
        "port": port,
        "pid": os.getpid(),
        "outputs": dict(deployed.outputs),
    }
    for_people(stack.STAGE, deployed.outputs, variables=stack.variables(deployed.aws))  # for `chalice local`
    _write_for_owner(ENDPOINTS, json.dumps(endpoints, indent=1) + "\n")
    names = {"endpoints": ENDPOINTS.relative_to(ROOT), "folder": FOLDER.relative_to(ROOT)}
    print(_HELLO.format(api=deployed.api, aws=deployed.aws, **asdict(opened), **names), flush=True)


def _wait(emulator: process.Emulator, stopping: threading.Event) -> None:
    while not stopping.wait(0.5):
        if emulator.process.poll() is not None:
            raise Stop(
                f"The emulator ended by itself (exit code {emulator.process.returncode}); see {emulator.log}"
            )


def _signals() -> threading.Event:
    """An event that is set by a wish to stop; before the app is up, the wish ends whatever is under way."""
    stopping = threading.Event()

    def wished(*_: Any) -> None:
        if stopping.is_set():
            return
        stopping.set()
        if not ENDPOINTS.exists():
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, wished)
    return stopping


@contextmanager
def _only_one() -> Iterator[None]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(
                "`make run` is running already in this checkout: use it, `make reload` it, or stop it."
            ) from None
        ENDPOINTS.unlink(missing_ok=True)
        yield


def until_healthy(api: str, seconds: float = _HEALTHY_SECONDS) -> None:
    """Wait for it; Stop with its last answer if it takes longer."""
    until = time.monotonic() + seconds
    while trouble := _trouble(api):
        if time.monotonic() > until:
            log = FOLDER / "emulator.log"
            raise Stop(f"{api}/health is not well after {seconds:g} s: {trouble}\nMore may be in {log}")
        time.sleep(0.2)


def _trouble(api: str) -> str:
    """Why the app is not healthy; empty if it is."""
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=15):
            return ""
    except urllib.error.HTTPError as error:
        return f"status {error.code}, {error.read(2000).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def _warm(url: str, stopping: threading.Event) -> None:
    """Best effort, beside everything else: a cold worker would only make the first runs late."""
    try:
        stack.warm(url, _WARM)
    except Exception as error:  # noqa: BLE001  # stopping in the middle of it is fine, whatever it raises
        if not stopping.is_set():
            print(f"    (not warmed up: {error})", file=sys.stderr)


def _step(what: str) -> None:
    print(f"==> {what}", flush=True)
