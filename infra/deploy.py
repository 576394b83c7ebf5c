"""`make deploy`: infra stack, `chalice deploy`, then what Chalice cannot express; `make destroy`. Repeatable."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra import (
    account,
    buckets,
    callbacks,
    first,
    gateway,
    keys,
    lanes,
    layer_versions,
    package,
    project,
    refusals,
    stacks,
)
from infra.account import Live
from infra.bundle import bundle
from infra.chalice_cli import chalice
from infra.errors import Stop
from infra.paths import ROOT, STAGES
from infra.stacks import Stack, name_of
from infra.template import infra_template, is_disposable

_SETTINGS = {
    "LEAD_MS": "LeadMs",
    "ALLOW_NETWORKS": "AllowNetworks",
    "JOB_ROLES": "JobRoles",
    "MAX_OUTPUT_MB": "MaxOutputMb",
    "MOUNT": "Mount",
    "CORS_ORIGINS": "CorsOrigins",
    "LOG_LEVEL": "LogLevel",
    "PLAN": "Plan",
    "ALARM_EMAIL": "AlarmEmail",
    "REGISTRATION": "Registration",
    "APP_URL": "AppUrl",
    "MAIL_FROM": "MailFrom",
    "MAIL_IDENTITY": "MailIdentity",
    "DISPATCHERS": "Dispatchers",
}
"""Stack parameters by the environment variables that set them."""
_PUBLIC_URL = "PUBLIC_URL"
FIRST_TENANT = "main"


def deploy(stage: str, *, new_key: bool = False, force: bool = False) -> None:
    """Bring the stage to this checkout's state. At first (or with `new_key`) makes an API key and prints it once."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        stack, live = _look(session, stage)
        refusals.check_usable(stack, live, stage)
        chosen = project.architecture(kept=stack.parameters.get("Architecture", "") if stack else "")
        now, settings = package.fingerprint(stage, chosen), {**_settings(os.environ), "Architecture": chosen}
        if not (new_key or force or _PUBLIC_URL in os.environ) and _is_done(stack, live, now, settings):
            print(f"{stage} is up to date: {live.url(session.region_name)} (FORCE=1 deploys all the same)")
            return
        _step(f"infra stack {name_of(stage)}")
        outputs = _put(session, stage, {"Stage": stage, **settings}, exists=stack is not None)
        _chalice_deploy(session, stage, outputs, live)
        live = _complete(session, stage, outputs)
        _let_in(session, stage, outputs, new_key=new_key)
        account.mark(session, live, now)
    print(f"Deployed: {live.url(session.region_name)}")


def configure(stage: str) -> None:
    """Make the Chalice project of a deployed stage, for people to use the chalice command in."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        stack, live = _look(session, stage)
        if not (stack and stack.outputs):
            raise Stop(f"There is no stack {name_of(stage)} here: run `make deploy STAGE={stage}` first.")
        made = _for_people(session, stage, stack.outputs, live)
    print(f"{made} is a Chalice project of {stage}, with the code of this checkout. In it, for example:\n")
    print(f"    .venv/bin/chalice --project-dir {made} deploy --stage {stage}")


def provide_callbacks(stage: str, *, new_key: bool = False, forget: bool = False) -> None:
    """Make what callbacks need where it is missing. With `new_key`, or `forget`, they are signed with a new key."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        live, ssm = account.find(session, stage), session.client("ssm")
        if live.api is None:
            raise Stop(f"There is no API of {stage} here: deploy it first.")
        callbacks.provide(ssm, stage, live.url(session.region_name), given=os.environ.get(_PUBLIC_URL))
        if new_key or forget:
            known = keys.rotate(ssm, stage, keys.CALLBACKS, now_s=int(time.time()), forget=forget)
            print(f"Callbacks of {stage} are signed with a new key within five minutes; {known} are known.")
    print(f"{stage} has what callbacks need.")


def rotate_token_keys(stage: str, *, new_key: bool = False, forget: bool = False) -> None:
    """Make the keys of access tokens where they are missing; with `new_key` or `forget` a new one signs from now on."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        if account.find(session, stage).api is None:
            raise Stop(f"There is no API of {stage} here: deploy it first.")
        ssm = session.client("ssm")
        keys.provide(ssm, stage, keys.TOKENS)
        if new_key or forget:
            known = keys.rotate(ssm, stage, keys.TOKENS, now_s=int(time.time()), forget=forget)
            print(
                f"Access tokens of {stage} are signed with a new key within five minutes; {known} are known."
            )
    print(f"{stage} has keys for access tokens.")


def destroy(stage: str) -> None:
    """Remove everything of the stage; tables and files of stages that are not disposable stay, and are named."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        cloudformation, name = session.client("cloudformation"), name_of(stage)
        stack = stacks.find(cloudformation, name)
        if stack:
            refusals.check_ours(stack, stage)
            _step(f"deleting the stack {name}: event sources and schedules first")
            tables, files = (
                stacks.names_of(cloudformation, name, kind) for kind in (stacks.TABLE, stacks.BUCKET)
            )
            _empty(session, stage, files)
            stacks.delete(cloudformation, name)
            _tell_kept(session, tables, files)
        live = account.find(session, stage)
        if live.functions:
            _step("chalice delete")
            _chalice_delete(session, stage, live)
        callbacks.remove(session.client("ssm"), stage)
        layer_versions.remove(session, stage)
        shutil.rmtree(STAGES / stage, ignore_errors=True)
    print(f"{stage} is gone." if stack or live.functions else f"There is nothing of {stage} here.")


def _look(session: Any, stage: str) -> tuple[Stack | None, Live]:
    return stacks.find(session.client("cloudformation"), name_of(stage)), account.find(session, stage)


def _settings(environ: Mapping[str, str]) -> dict[str, str]:
    given = {parameter: environ[name] for name, parameter in _SETTINGS.items() if name in environ}
    if given.get("LogLevel") == "WARNING":
        given["LogLevel"] = "WARN"
    if given.get("MailFrom") and "MailIdentity" not in given:
        given["MailIdentity"] = given["MailFrom"].rpartition("@")[2]
    return {**given, **_lanes(environ["LANES"])} if "LANES" in environ else given


def _lanes(wanted: str) -> dict[str, str]:
    """Which lanes are on, as parameters; those that no type has to itself stay on. Stop if one is not known."""
    named = {lane for each in wanted.split(",") if (lane := each.strip())}
    if unknown := named - set(lanes.rows()):
        raise Stop(
            f"LANES: there is no lane {', '.join(sorted(unknown))}. Known are: {', '.join(lanes.rows())}."
        )
    on = named | {"fast", "urgent", "long"}
    return {f"{lane.capitalize()}Lane": "on" if lane in on else "off" for lane in lanes.rows()}


def _is_done(stack: Stack | None, live: Live, fingerprint: str, settings: Mapping[str, str]) -> bool:
    """Whether the stage was last deployed from this very checkout, with these settings."""
    same = stack is not None and all(stack.parameters.get(key) == value for key, value in settings.items())
    return same and live.is_complete and live.fingerprint == fingerprint


def _let_in(session: Any, stage: str, outputs: Mapping[str, str], *, new_key: bool) -> None:
    """Make the first tenant, and tell once what opens it."""
    owner = os.environ.get("OWNER", f"owner@{stage}.invalid")
    opened = first.provide(session.client("dynamodb"), outputs, FIRST_TENANT, owner, new_key=new_key)
    if opened is None:
        return
    print(f"An API key of {stage}, shown this once (only its SHA-256 is stored):\n\n    {opened.api_key}\n")
    if opened.password:
        print(f"The owner of the tenant {FIRST_TENANT} is {owner}, with the password {opened.password}\n")


def _put(session: Any, stage: str, parameters: Mapping[str, str], *, exists: bool) -> dict[str, str]:
    try:
        return stacks.put(session.client("cloudformation"), name_of(stage), infra_template(stage), parameters)
    except stacks.Failed as failed:
        raise refusals.after_failure(failed, stage, existed=exists) from failed


def _chalice_deploy(session: Any, stage: str, outputs: Mapping[str, str], live: Live) -> None:
    _step("chalice deploy")
    layers = layer_versions.publish(session, stage, outputs["ChronosArchitecture"])
    copy = project.for_deployment(stage, outputs, layers)
    project.record(copy, stage, live.resources(session.region_name))
    bundle(copy, outputs["ChronosArchitecture"])
    chalice(copy, "deploy", "--stage", stage)


def _complete(session: Any, stage: str, outputs: Mapping[str, str]) -> Live:
    """The stack's second pass, with the functions; and the API's own answers."""
    _step("schedules, event sources, the gateway's answers and limits")
    live = account.find(session, stage)
    if not live.is_complete:
        raise Stop("Not all that `chalice deploy` made can be found: run the same command again.")
    _put(session, stage, live.parameters(), exists=True)
    account.allow_loops(session, live)
    account.log_little(session, live, outputs["ChronosLogLevel"])
    origins = outputs["ChronosCorsOrigins"]
    gateway.apply(session.client("apigateway"), str(live.api), project.API_STAGE, origins)
    url, given = live.url(session.region_name), os.environ.get(_PUBLIC_URL)
    callbacks.provide(session.client("ssm"), stage, url, given=given)
    layer_versions.remove_former(session, stage)
    _for_people(session, stage, outputs, live)
    return live


def _for_people(session: Any, stage: str, outputs: Mapping[str, str], live: Live) -> Path:
    made = project.for_people(stage, outputs, layers=layer_versions.current(session, stage))
    project.record(made, stage, live.resources(session.region_name))
    return made.relative_to(ROOT)


def _chalice_delete(session: Any, stage: str, live: Live) -> None:
    bare = project.for_deletion(stage)
    project.record(bare, stage, live.resources(session.region_name))
    chalice(bare, "delete", "--stage", stage)


def _empty(session: Any, stage: str, files: list[str]) -> None:
    """Delete the files of a stage whose data may go."""
    if is_disposable(stage):
        for name in files:
            count = buckets.empty(session.client("s3"), name)
            _step(f"{count} files of attempts are deleted")


def _tell_kept(session: Any, tables: list[str], files: list[str]) -> None:
    dynamodb, s3 = session.client("dynamodb"), session.client("s3")
    ways = []
    for name in tables:
        if account.exists(dynamodb.describe_table, TableName=name):
            ways.append(f"aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled")
            ways.append(f"aws dynamodb delete-table --table-name {name}")
    ways += [
        f"aws s3 rb --force s3://{name}" for name in files if account.exists(s3.head_bucket, Bucket=name)
    ]
    if ways:
        print("Kept on purpose, with their data; delete them yourself when nobody needs it:")
    for way in ways:
        print(f"    {way}")


def _step(what: str) -> None:
    print(f"==> {what}", flush=True)
