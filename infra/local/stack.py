"""The packaged app on a running emulator: one stack, and what the emulator's CloudFormation leaves out."""

import hashlib
import json
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import callbacks, first, gateway, lanes, layer_zips, stacks
from infra.functions import Json, functions
from infra.local import job_role
from infra.package import CODE, TEMPLATE
from infra.paths import CHRONOS
from infra.project import API_STAGE

PACKAGED = CHRONOS / "local" / "package"
STAGE, REGION, BUCKET = "local", "us-east-1", "chronos-code"
TENANT, DOMAIN = "local", "chronos.localhost"
OWNER = f"owner@{DOMAIN}"
PARAMETERS = {
    "Stage": STAGE,
    "LeadMs": "1500",
    "AllowNetworks": "127.0.0.0/8,::1/128",
    "JobRoles": job_role.ARN,
    "Registration": "open",
    "MailFrom": f"chronos@{DOMAIN}",
    "MailIdentity": DOMAIN,
}


GROUPS = 4


def variables(url: str) -> dict[str, str]:
    """What any AWS client reads from its environment, for the emulator's root user."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }


@dataclass(frozen=True)
class Deployed:
    """The stack as it stands. `api` is an address to give to people, `aws` the endpoint for any AWS client.

    `opened` is what opens it, if that was made just now.
    """

    api: str
    aws: str
    outputs: Mapping[str, str]
    opened: first.Opened | None = None


def client(service: str, url: str, credentials: Mapping[str, str] | None = None, *, attempts: int = 5) -> Any:
    """A boto3 client for the emulator, as its root user or with what AssumeRole gave."""
    import boto3
    from botocore.config import Config

    given = credentials or {"AccessKeyId": "test", "SecretAccessKey": "test"}
    session = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given.get("SessionToken"), region_name=REGION
    )
    retries = {"total_max_attempts": attempts}
    return session.client(service, endpoint_url=url, config=Config(retries=retries))


def deploy(
    url: str, package: Path, parameters: Mapping[str, str] | None = None, *, stock: bool = False
) -> Deployed:
    """Create or update the stack from a package; `parameters` override PARAMETERS."""
    code = _upload(url, (package / CODE).read_bytes(), ".zip")
    template = located(json.loads((package / TEMPLATE).read_text()), {"Bucket": BUCKET, "Key": code})
    for lane in layer_zips.layered():
        key = _upload(url, (package / layer_zips.name_of(lane)).read_bytes(), ".zip")
        layer = template["Resources"][layer_zips.resource_of(lane)]["Properties"]
        layer["ContentUri"] = {"Bucket": BUCKET, "Key": key}

    def upload(content: bytes) -> str:
        return f"{url}/{BUCKET}/{_upload(url, content, '.json')}"

    cloudformation, chosen = client("cloudformation", url), {**PARAMETERS, **(parameters or {})}
    outputs = stacks.put(
        cloudformation, stacks.name_of(STAGE), template, chosen, poll_seconds=0.2, upload=upload
    )
    _expire(client("dynamodb", url), outputs)
    job_role.provide(client("iam", url))
    _have_sender(client("sesv2", url))
    gateway.apply(client("apigateway", url), outputs["RestAPIId"], API_STAGE, chosen.get("CorsOrigins", ""))
    opened = first.provide(client("dynamodb", url), outputs, TENANT, OWNER)
    deployed = Deployed(_address(url, outputs, stock=stock), url, outputs, opened)
    callbacks.provide(client("ssm", url), STAGE, deployed.api)
    if not stock:
        save(url)
    return deployed


def warm(url: str, workers: int) -> None:
    """Have processes of the fast lane's worker, by empty batches at the same time, and one for each group's tick."""
    lambdas = client("lambda", url, attempts=1)  # who stops the emulator meanwhile does not wait for repeats
    names = {function.name: function.full_name(STAGE) for function in functions()}

    def batch(_: int) -> None:
        lambdas.invoke(FunctionName=names["fast_worker"], Payload=json.dumps({"Records": []}))

    def tick(group: int) -> None:
        payload = json.dumps({"group": group, "groups": GROUPS})
        lambdas.invoke(FunctionName=names["dispatcher"], Payload=payload)

    for task, count in ((batch, workers), (tick, GROUPS)):
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(task, range(count)))


def save(url: str) -> None:
    """Have the launcher write all state to disk now."""
    with urllib.request.urlopen(f"{url}/_chronos/save", timeout=30):
        pass


def located(template: Json, code: Mapping[str, str]) -> Json:
    """The template with the functions' code in S3, as `aws cloudformation package` puts it, sized for one machine."""
    for lane, row in lanes.rows().items():  # each batch has a process of its own here, held until its moment
        source = template["Resources"][f"{lane.capitalize()}WorkerSource"]["Properties"]
        source["ScalingConfig"] = {"MaximumConcurrency": row["local"]}
    template["Resources"].pop("OutputsBucketPolicy", None)  # it asks for TLS, which nobody speaks on loopback
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = dict(code)
    return template


def _upload(url: str, content: bytes, suffix: str) -> str:
    """Store the content in the emulator's S3 under its digest; the key."""
    key = hashlib.sha256(content).hexdigest() + suffix
    s3 = client("s3", url)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    return key


def _expire(dynamodb: Any, outputs: Mapping[str, str]) -> None:
    """TTL, which the emulator's CloudFormation ignores."""
    for name in ("Catalog", "Timers", "Runs", "Audit"):
        table = outputs[f"Chronos{name}Table"]
        status = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
        if status == "DISABLED":
            specification = {"Enabled": True, "AttributeName": "expires_at"}
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)


def _have_sender(ses: Any) -> None:
    """The domain that mails are from; the emulator finds every one verified at once, and delivers to its inbox."""
    known = [each["IdentityName"] for each in ses.list_email_identities()["EmailIdentities"]]
    if DOMAIN not in known:
        ses.create_email_identity(EmailIdentity=DOMAIN)


def _address(url: str, outputs: Mapping[str, str], *, stock: bool) -> str:
    return f"{url}/_aws/execute-api/{outputs['RestAPIId']}/{API_STAGE}" if stock else f"{url}/{API_STAGE}"
