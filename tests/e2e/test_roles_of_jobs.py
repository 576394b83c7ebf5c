"""Jobs use AWS as the role that they name: assumed by the deployed worker, under IAM, for its own tenant only."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import job_role
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e
TIMEOUT = 30


@pytest.fixture
def queue(stack: Stack) -> Any:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName="roles-of-jobs")["QueueUrl"]
    yield url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.delete_queue(QueueUrl=url)


def publishing(api: Api, arn: str) -> Any:
    queue = {"kind": "sqs", "arn": arn, "role_arn": job_role.ARN}
    config = {"queue": queue, "operation": {"action": "publish", "messages": [{"body": "hello"}]}}
    job = {"name": "a", "type": "message_queue", "config": config, "schedule": {"kind": "manual"}}
    return api.post("/jobs", {**job, "timeout_seconds": TIMEOUT, "retry": {"max_attempts": 1}})


def test_a_worker_acts_as_the_role_of_a_job(api: Api, stack: Stack, queue: Any) -> None:
    url, arn = queue
    job = publishing(api, arn)
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED")
    assert run["status"] == "SUCCEEDED", run["attempts"]
    [message] = stack.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    assert message["Body"] == "hello"


def test_the_role_is_not_assumed_for_another_tenant(stack: Stack) -> None:
    asked = {"RoleArn": job_role.ARN, "RoleSessionName": "rival"}
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.client("sts").assume_role(**asked, ExternalId="rival")
    assert stack.client("sts").assume_role(**asked, ExternalId=job_role.TENANT)


def test_a_role_that_the_operator_has_not_named_is_refused_when_the_job_is_saved(api: Api) -> None:
    queue = {
        "kind": "sqs",
        "arn": "arn:aws:sqs:us-east-1:000000000000:q",
        "role_arn": job_role.ARN + "-of-others",
    }
    config = {"queue": queue, "operation": {"action": "publish", "messages": [{"body": "hello"}]}}
    body = {"name": "a", "type": "message_queue", "config": config, "schedule": {"kind": "manual"}}
    answer = api.call("POST", "/jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/config/queue/role_arn"]


def test_files_on_s3_are_moved_as_the_role(api: Api, stack: Stack) -> None:
    s3 = stack.client("s3")
    s3.create_bucket(Bucket="files-of-jobs")
    s3.put_object(Bucket="files-of-jobs", Key="in/a.csv", Body=b"a;b")
    operation = {"do": "move", "source": "s3://files-of-jobs/in/*", "to": "s3://files-of-jobs/done/"}
    config = {"operation": operation, "role_arn": job_role.ARN}
    job = api.job({"kind": "manual"}, type="file_system", config=config, retry={"max_attempts": 1})
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED", seconds=60)
    assert run["status"] == "SUCCEEDED", run["attempts"]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="files-of-jobs")["Contents"]] == ["done/a.csv"]
