"""POST /jobs through the Lambda handler, over stubbed AWS."""

import json
import statistics
import time
from collections.abc import Iterable
from typing import Any

from bench.stub import StubAws, stubbed_engine, unstub
from chalicelib.aws.clock import SystemClock
from chalicelib.domain.permissions import permissions_of
from chalicelib.engine.core import Engine
from chalicelib.http.api import Api
from chalicelib.http.docs import table
from chalicelib.http.pipeline import Services
from chalicelib.identity.principal import Principal

COUNT, WARM_UP = 300, 30
BODY = {
    "name": "nightly",
    "type": "http",
    "config": {"url": "https://example.com/hook", "method": "POST", "body": {"report": "daily"}},
    "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
}


def _key_of_the_bench(_engine: Engine, _authorization: str | None) -> Principal:
    return Principal("local", "key_of_the_bench", "owner", permissions_of("owner"))


class Context:
    aws_request_id = "bench"


def event() -> dict[str, Any]:
    return {
        "requestContext": {"resourcePath": "/jobs", "httpMethod": "POST", "requestId": "bench"},
        "path": "/api/jobs",
        "headers": {"Content-Type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "isBase64Encoded": False,
        "body": json.dumps(BODY),
    }


def figures() -> Iterable[tuple[str, float, str]]:
    stub = StubAws()
    services = Services(stubbed_engine(stub, SystemClock()), _key_of_the_bench)
    api = Api(table(), lambda: services)
    spent = []
    for _ in range(COUNT):
        stub.calls.clear()
        stub.cpu, started = 0.0, time.process_time()
        answer = api(event(), Context())
        spent.append((time.process_time() - started - stub.cpu) * 1000)
        if answer["statusCode"] != 201:
            raise ValueError(answer["body"])
    unstub()
    yield "api_create_job_cpu_ms", statistics.median(spent[WARM_UP:]), "ms"
    yield "api_create_job_aws_calls", sum(stub.calls.values()), "calls"
