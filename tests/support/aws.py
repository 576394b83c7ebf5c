"""Real tables and queues on anything that speaks AWS's protocols, made from the properties in infra/resources.yaml."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chalicelib.aws.clients import make_client, make_stock_client
from chalicelib.domain.lanes import LANES

ACCESS = {"region_name": "eu-central-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
RESOURCES = Path(__file__).parents[2] / "infra" / "resources.yaml"
TABLES = {"catalog": "CatalogTable", "timers": "TimersTable", "runs": "RunsTable", "audit": "AuditTable"}
QUEUES = [f"{lane.capitalize()}Queue" for lane in LANES]
_TABLE_PROPERTIES = (
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "StreamSpecification",
)

STOCK = ("s3", "sesv2")
"""Services whose clients are botocore's own."""
MakeClient = Callable[[str], Any]


@cache
def resources() -> dict[str, Any]:
    """The resources of the template, by logical id."""
    found: dict[str, Any] = yaml.safe_load(RESOURCES.read_text())["Resources"]
    return found


@contextmanager
def moto() -> Iterator[MakeClient]:
    """Makes clients of an AWS in this process; they end in it also where others were made before moto was imported."""
    from moto import mock_aws
    from moto.core import patch_client

    def made(service: str) -> Any:
        client = (make_stock_client if service in STOCK else make_client)(service, **ACCESS)
        patch_client(client)
        return client

    with mock_aws():
        yield made


def emulated(service: str, endpoint: str) -> Any:
    """The adapters' client of the emulator."""
    make = make_stock_client if service in STOCK else make_client
    return make(service, **{**ACCESS, "region_name": "us-east-1"}, endpoint_url=endpoint)


def create_tables(dynamodb: Any, prefix: str = "chronos") -> dict[str, str]:
    """The four tables, empty; their names by ours."""
    names = {}
    for short, logical_id in TABLES.items():
        wanted = resources()[logical_id]["Properties"]
        properties = {name: wanted[name] for name in _TABLE_PROPERTIES if name in wanted}
        if "StreamSpecification" in properties:
            properties["StreamSpecification"] = {**properties["StreamSpecification"], "StreamEnabled": True}
        names[short] = f"{prefix}-{short}"
        dynamodb.create_table(TableName=names[short], **properties)
    return names


def create_queues(sqs: Any, prefix: str = "chronos") -> Mapping[str, str]:
    """The lanes' queues; their URLs by logical id."""
    return {name: sqs.create_queue(QueueName=f"{prefix}-{name}")["QueueUrl"] for name in QUEUES}
