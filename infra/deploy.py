"""`make deploy`: infra stack, `chalice deploy`, then what Chalice cannot express; `make destroy`. Repeatable."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from infra import gateway, keys, project, stacks
from infra.bundle import bundle
from infra.errors import Stop
from infra.functions import Json, functions
from infra.paths import ROOT
from infra.project import API_STAGE
from infra.template import infra_template

ARCHITECTURE = "x86_64"


def deploy(stage: str, *, new_key: bool = False) -> None:
    """Bring the stage to this checkout's state. At first (or with `new_key`) makes an API key and prints it once."""
    session = _session()
    _step(f"infra stack {stacks.name_of(stage)}")
    outputs = _infra(session, stage, new_key=new_key)
    project.configure(stage, outputs)
    _step("chalice deploy")
    bundle(ROOT, ARCHITECTURE)
    _chalice("deploy", "--stage", stage)
    _step("schedules, event sources, the gateway's answers and limits")
    deployed = _deployed(stage)
    cloudformation = session.client("cloudformation")
    stacks.put(cloudformation, stacks.name_of(stage), infra_template(stage), _arns(deployed))
    gateway.apply(session.client("apigateway"), deployed["rest_api"]["rest_api_id"], API_STAGE)
    print(f"Deployed: {deployed['rest_api']['rest_api_url']}")


def configure(stage: str) -> None:
    """Write .chalice/config.json for a plain `chalice deploy --stage <stage>`."""
    outputs = stacks.outputs(_session().client("cloudformation"), stacks.name_of(stage))
    if outputs is None:
        raise Stop(f"There is no stack {stacks.name_of(stage)} yet: run `make deploy STAGE={stage}` first.")
    project.configure(stage, outputs)
    print(f".chalice/config.json now describes {stage}: `chalice deploy --stage {stage}` works by itself.")


def destroy(stage: str) -> None:
    """Remove everything of the stage; tables of stages that are not disposable stay, and are named."""
    session = _session()
    cloudformation, name = session.client("cloudformation"), stacks.name_of(stage)
    outputs = stacks.outputs(cloudformation, name)
    if outputs is not None:
        _step(f"deleting the stack {name}: event sources and schedules first")
        stacks.delete(cloudformation, name)
    if (ROOT / ".chalice/deployed" / f"{stage}.json").exists():
        _step("chalice delete")
        _chalice("delete", "--stage", stage)
    for key, value in (outputs or {}).items():
        if key.endswith("TableArn") and "Retain" in json.dumps(infra_template(stage)):
            print(f"kept, with its data: {value}")
    print(f"{stage} is gone." if outputs is not None else f"There was nothing of {stage} left.")


def _infra(session: Any, stage: str, *, new_key: bool) -> dict[str, str]:
    """The first pass. An existing stack keeps its key and its functions' ARNs."""
    cloudformation, name = session.client("cloudformation"), stacks.name_of(stage)
    known = stacks.outputs(cloudformation, name) or {}
    parameters = {"Stage": stage, **_chosen(os.environ)}
    if new_key or not known.get("ChronosApiKeySha256"):
        key = keys.new_key(stage)
        parameters["ApiKeySha256"] = keys.digest(key)
        outputs = stacks.put(cloudformation, name, infra_template(stage), parameters)
        print(f"The API key of {stage}, shown this once (only its SHA-256 is stored):\n\n    {key}\n")
        return outputs
    return stacks.put(cloudformation, name, infra_template(stage), parameters)


def _chosen(environ: Mapping[str, str]) -> dict[str, str]:
    """Stack parameters given to the command: LEAD_MS, ALLOW_NETWORKS, LOG_LEVEL."""
    names = {"LEAD_MS": "LeadMs", "ALLOW_NETWORKS": "AllowNetworks", "LOG_LEVEL": "LogLevel"}
    return {names[name]: environ[name] for name in names if name in environ}


def _arns(deployed: Mapping[str, Json]) -> dict[str, str]:
    return {
        f"{function.resource}Arn": deployed[function.chalice]["lambda_arn"]
        for function in functions()
        if function.name != "api"
    }


def _deployed(stage: str) -> dict[str, Json]:
    """What `chalice deploy` made, by name."""
    recorded = json.loads((ROOT / ".chalice/deployed" / f"{stage}.json").read_text())
    return {each["name"]: each for each in recorded["resources"]}


def _chalice(*arguments: str) -> None:
    command = [
        sys.executable,
        "-c",
        "from chalice.cli import main; main()",
        "--project-dir",
        str(ROOT),
        *arguments,
    ]
    if subprocess.run(command, check=False).returncode:
        raise Stop(
            f"`chalice {arguments[0]}` failed (see above). What is done stays; run the same command again."
        )


def _session() -> Any:
    """The caller's AWS account, checked before anything is touched."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.Session()
    if not session.region_name:
        raise Stop("No AWS region: set AWS_DEFAULT_REGION, or a region in the AWS profile.")
    try:
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise Stop(
            f"AWS does not accept the credentials of this environment (AWS_PROFILE, ...): {error}"
        ) from error
    _step(f"account {identity['Account']}, region {session.region_name}")
    return session


def _step(what: str) -> None:
    print(f"==> {what}", flush=True)
