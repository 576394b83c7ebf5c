"""The patched emulator: each patch, on the packaged app with IAM enforced. Times are far from the stock version's."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.functions import functions
from infra.local import stack as local
from infra.local.fixtures import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def test_a_schedule_fires_within_two_seconds_with_its_tokens_filled_in(stack: Stack) -> None:
    queue = _queue(stack, "ticks")
    due = int(time.time()) + 2
    stack.client("scheduler").create_schedule(
        Name="soon",
        ScheduleExpression=datetime.fromtimestamp(due, UTC).strftime("at(%Y-%m-%dT%H:%M:%S)"),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": _arn(stack, queue),
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "Input": '{"at": "<aws.scheduler.scheduled-time>"}',
        },
    )
    body = eventually(lambda: _receive(stack, queue), seconds=15)
    assert time.time() - due < 3
    assert json.loads(str(body))["at"].startswith(datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%dT"))


def test_a_delayed_message_reaches_its_function_within_a_tenth_of_a_second(stack: Stack) -> None:
    url = stack.outputs["FastQueueUrl"]
    stack.client("sqs").send_message(QueueUrl=url, MessageBody="not a run", DelaySeconds=2)
    due = time.monotonic() + 2
    eventually(lambda: _count(stack, url, "ApproximateNumberOfMessagesNotVisible"), seconds=10)
    assert time.monotonic() - due < 0.5


def test_a_function_may_send_batches_to_the_lanes_but_to_no_other_queue(stack: Stack) -> None:
    sqs, foreign = _as(stack, "fast_worker", "sqs"), _queue(stack, "foreign")
    entries = [{"Id": "1", "MessageBody": "not a run", "DelaySeconds": 900}]
    sent = sqs.send_message_batch(QueueUrl=stack.outputs["FastQueueUrl"], Entries=entries)
    assert len(sent["Successful"]) == 1
    with pytest.raises(sqs.exceptions.ClientError, match="not authorized"):
        sqs.send_message_batch(QueueUrl=foreign, Entries=entries)


def test_a_worker_may_write_runs_by_statements_but_not_jobs(stack: Stack) -> None:
    dynamodb = _as(stack, "fast_worker", "dynamodb")
    insert = "INSERT INTO \"{}\" VALUE {{'pk': 'probe', 'sk': 'probe'}}"
    runs, catalog = stack.outputs["ChronosRunsTable"], stack.outputs["ChronosCatalogTable"]
    assert dynamodb.batch_execute_statement(Statements=[{"Statement": insert.format(runs)}])["Responses"]
    with pytest.raises(dynamodb.exceptions.ClientError, match="not authorized"):
        dynamodb.batch_execute_statement(Statements=[{"Statement": insert.format(catalog)}])


def test_the_api_may_send_mails_from_its_own_domain_alone(stack: Stack) -> None:
    ses = _as(stack, "api", "sesv2")
    mail = {
        "Destination": {"ToAddresses": ["probe@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "probe"}, "Body": {"Text": {"Data": "probe"}}}},
    }
    assert ses.send_email(FromEmailAddress=f"anybody@{local.DOMAIN}", **mail)["MessageId"]
    with pytest.raises(ses.exceptions.ClientError, match="not authorized"):
        ses.send_email(FromEmailAddress="chronos@elsewhere.example", **mail)


def test_an_imported_api_has_its_paths_and_another_import_replaces_them(stack: Stack) -> None:
    gateway = stack.client("apigateway")
    api = gateway.import_rest_api(body=_swagger("/a/b"))["id"]
    assert {each["path"] for each in gateway.get_resources(restApiId=api)["items"]} == {"/", "/a", "/a/b"}
    gateway.put_rest_api(restApiId=api, mode="overwrite", body=_swagger("/c"))
    assert {each["path"] for each in gateway.get_resources(restApiId=api)["items"]} == {"/", "/c"}
    assert gateway.get_rest_api(restApiId=api)["name"] == "probe"
    gateway.delete_rest_api(restApiId=api)


def test_an_api_can_be_read_after_what_chalice_sets_to_nothing_or_to_what_it_is(stack: Stack) -> None:
    gateway = stack.client("apigateway")
    api = gateway.import_rest_api(body=_swagger("/a"))["id"]
    paths = {"/minimumCompressionSize": "", "/endpointConfiguration/types/REGIONAL": "REGIONAL"}
    operations = [{"op": "replace", "path": path, "value": value} for path, value in paths.items()]
    gateway.update_rest_api(restApiId=api, patchOperations=operations)
    assert gateway.get_rest_api(restApiId=api)["endpointConfiguration"]["types"] == ["REGIONAL"]
    gateway.delete_rest_api(restApiId=api)


def test_a_new_function_is_ready_at_once(stack: Stack) -> None:
    """The stock version takes half a second each time."""
    assert min(_seconds_until_ready(stack, f"probe-{number}") for number in range(4)) < 0.4


def test_what_a_function_is_allowed_is_noted(stack: Stack) -> None:
    before = len(stack.allowed())
    _as(stack, "fast_worker", "dynamodb").batch_get_item(
        RequestItems={stack.outputs["ChronosCatalogTable"]: {"Keys": [{"pk": {"S": "a"}, "sk": {"S": "b"}}]}}
    )
    noted = ("probe", "dynamodb:BatchGetItem", stack.outputs["CatalogTableArn"])
    assert noted in stack.allowed()[before:]


def test_state_survives_a_kill_but_for_the_last_seconds(own_stack: Stack) -> None:
    table = own_stack.outputs["ChronosCatalogTable"]
    key = {"pk": {"S": "kept"}, "sk": {"S": "kept"}}
    own_stack.client("dynamodb").put_item(TableName=table, Item=key)
    saved = own_stack.folder / "state" / "dynamodb.json"
    eventually(lambda: '"kept"' in saved.read_text(), seconds=20)
    own_stack.restart(kill=True)
    assert "Item" in own_stack.client("dynamodb").get_item(TableName=table, Key=key)
    assert own_stack.invoke("fast_worker", {"Records": []}) == {"batchItemFailures": []}


def _swagger(path: str) -> bytes:
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": "arn:any"}
    operation = {"responses": {}, "x-amazon-apigateway-integration": integration}
    paths = {path: {"get": operation}}
    return json.dumps({"swagger": "2.0", "info": {"title": "probe", "version": "1"}, "paths": paths}).encode()


def _seconds_until_ready(stack: Stack, name: str) -> float:
    lambdas = stack.client("lambda")
    role = lambdas.get_function_configuration(FunctionName=f"chronos-{local.STAGE}")["Role"]
    code = {"ZipFile": b"PK\5\6" + bytes(18)}
    begun = time.monotonic()
    lambdas.create_function(FunctionName=name, Runtime="python3.11", Role=role, Handler="app.main", Code=code)
    eventually(lambda: lambdas.get_function_configuration(FunctionName=name)["State"] == "Active", every=0.02)
    took = time.monotonic() - begun
    lambdas.delete_function(FunctionName=name)
    return took


def _queue(stack: Stack, name: str) -> str:
    url: str = stack.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url


def _arn(stack: Stack, url: str) -> str:
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = attributes["Attributes"]["QueueArn"]
    return arn


def _receive(stack: Stack, url: str) -> str | None:
    messages = stack.client("sqs").receive_message(QueueUrl=url).get("Messages", [])
    return messages[0]["Body"] if messages else None


def _count(stack: Stack, url: str, name: str) -> int:
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    return int(attributes[name])


def _as(stack: Stack, function: str, service: str) -> Any:
    """A client with the rights of a function."""
    name = next(each.full_name(local.STAGE) for each in functions() if each.name == function)
    configuration = stack.client("lambda").get_function_configuration(FunctionName=name)
    assumed = stack.client("sts").assume_role(RoleArn=configuration["Role"], RoleSessionName="probe")[
        "Credentials"
    ]
    return local.client(service, stack.aws, assumed)
