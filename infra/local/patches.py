"""ministack, with what a user of `make run` would miss put right. Each patch is a function that says why.

They lean on ministack's inside, so its version is checked; with a newer one, try first which of them are still needed.
"""

import json
import os
import shutil
import threading
import zipfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

VERSION = "1.5.33"
IDLE_POLL_SECONDS = 0.02


def patch(cache: Path) -> None:
    """All of them; `cache` is a folder for unpacked code. SystemExit with any other version of ministack."""
    installed = version("ministack")
    if installed != VERSION:
        raise SystemExit(f"This patches ministack {VERSION}, but {installed} is installed.")
    sweep_schedules_every_second()
    fill_in_scheduler_tokens()
    poll_queues_often()
    have_functions_ready_at_once()
    authorize_batches_like_aws()
    import_rest_apis_whole()
    keep_mails_whole()
    authorize_mails_like_aws()
    cache.mkdir(parents=True, exist_ok=True)
    unzip_once(cache)


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


def have_functions_ready_at_once() -> None:
    """The stock version takes half a second, for which `chalice deploy` waits five, twelve times."""
    from ministack.services import lambda_svc

    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0


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


def note_what_is_allowed(log: Path) -> None:
    """For the test of the policies: a line `principal action resource` each time that a role is allowed something."""
    from ministack.core import iam_evaluator

    evaluate, lines = iam_evaluator.evaluate, log.open("a", buffering=1)

    def noted(request: Any, *policies: Any) -> Any:
        result = evaluate(request, *policies)
        if result.decision == "Allow":
            lines.write(f"{request.principal_arn} {request.action} {request.resource_arn}\n")
        return result

    iam_evaluator.evaluate = noted


def import_rest_apis_whole() -> None:
    """`chalice deploy` uses ImportRestApi and PutRestApi, of which the stock version takes no path."""
    from ministack.services import apigateway_v1 as gateway

    handle = gateway.handle_request

    async def handled(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        parts = path.strip("/").split("/")
        if parts == ["restapis"] and method == "POST" and "mode" in query:
            return gateway._get_rest_api(gateway._import_rest_api(json.loads(body)))
        if parts[0] == "restapis" and len(parts) == 2 and method == "PUT":
            _put_rest_api(gateway, parts[1], json.loads(body)["paths"])
            return gateway._get_rest_api(parts[1])
        if parts[0] == "restapis" and len(parts) == 2 and method == "PATCH":
            body = json.dumps({"patchOperations": without_what_stays(json.loads(body))}).encode()
        return await handle(method, path, headers, body, query)

    gateway.handle_request = handled


def authorize_mails_like_aws() -> None:
    """AWS asks whether the sender's identity may be used; the stock version asks for all resources at once."""
    from ministack.core import iam_actions

    named = iam_actions._ses_v2_resource_arn

    def resource(method: str, path: str, body: bytes, region: str, account: str) -> Any:
        if not path.endswith("/outbound-emails"):
            return named(method, path, body, region, account)
        sender = str(json.loads(body).get("FromEmailAddress", ""))
        domain = sender.rpartition("@")[2].rstrip(">")
        return f"arn:aws:ses:{region}:{account}:identity/{domain}"

    iam_actions._ses_v2_resource_arn = resource


def keep_mails_whole() -> None:
    """The stock inbox, /_ministack/ses/messages, shows a mail without what is attached: here `Raw` has all of it."""
    from ministack import app
    from ministack.services import ses_v2

    send, show = ses_v2.handle_request, app._handle_ses_messages_request

    async def sent(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        answer = await send(method, path, headers, body, query)
        if method == "POST" and path.endswith("/outbound-emails") and answer[0] == 200:
            raw = json.loads(body)["Content"].get("Raw", {}).get("Data")
            mail = next(each for each in ses_v2._sent_emails_list() if each["MessageId"] in str(answer[2]))
            mail["Raw"] = raw
        return answer

    async def shown(method: str, path: str, headers: Any, query: Any) -> Any:
        answer = await show(method, path, headers, query)
        if not answer or answer[0] != 200:
            return answer
        mails = ses_v2._sent_emails_list()
        return (*answer[:2], json.dumps(with_raw(json.loads(answer[2]), mails)).encode())

    ses_v2.handle_request, app._handle_ses_messages_request = sent, shown


def with_raw(inbox: dict[str, Any], mails: list[dict[str, Any]]) -> dict[str, Any]:
    """The inbox with the mails as they were sent, in base64, where that is known."""
    raw = {each["MessageId"]: each.get("Raw") for each in mails}
    accounts = inbox["messages"].items()
    whole = {name: [each | {"Raw": raw.get(each["MessageId"])} for each in found] for name, found in accounts}
    return {"messages": whole}


def _put_rest_api(gateway: Any, api: str, paths: dict[str, Any]) -> None:
    root = next(each for each in gateway._resources[api].values() if each["path"] == "/")
    gateway._resources[api] = {root["id"]: {**root, "resourceMethods": {}}}
    for path, item in paths.items():
        gateway._import_path_item(api, path, item)


def without_what_stays(patch: dict[str, Any]) -> list[dict[str, Any]]:
    """Chalice sets compression to nothing and the endpoint's type to what it is; the stock version stores nonsense."""
    return [
        each
        for each in patch["patchOperations"]
        if each.get("value") and not each["path"].startswith("/endpointConfiguration/types/")
    ]
