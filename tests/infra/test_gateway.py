"""What API Gateway answers by itself looks like what the API answers."""

import json
from typing import Any

import pytest

from chalicelib.http.problems import problem
from infra import gateway
from infra.template import merge_template


@pytest.mark.parametrize("kind", [kind for kind, row in gateway.responses().items() if row[0]])
def test_the_gateways_answer_is_a_problem_document_like_ours(kind: str) -> None:
    status, code, detail = gateway.responses()[kind]
    ours = json.loads(str(problem(status, code, detail, "an id").body))
    assert gateway.document(status, code, detail, "an id") == ours


@pytest.mark.parametrize("kind", gateway.responses())
def test_the_template_is_json_of_the_right_type_with_the_requests_id(kind: str) -> None:
    response = gateway.swagger({})[kind]
    assert json.loads(response["responseTemplates"]["application/json"])["request_id"] == "$context.requestId"
    assert (
        response["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    )


@pytest.mark.parametrize(
    ("kind", "status", "why"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", 404, "what the gateway calls a missing token is an unknown path"),
        ("ACCESS_DENIED", 403, ""),
        ("REQUEST_TOO_LARGE", 413, ""),
        ("UNSUPPORTED_MEDIA_TYPE", 415, ""),
        ("THROTTLED", 429, ""),
    ],
)
def test_the_usual_refusals_have_their_status(kind: str, status: int, why: str) -> None:
    assert gateway.swagger({})[kind]["statusCode"] == str(status), why


@pytest.mark.parametrize("kind", ["DEFAULT_4XX", "DEFAULT_5XX"])
def test_a_default_keeps_the_status_of_what_happened(kind: str) -> None:
    response = gateway.swagger({})[kind]
    assert "statusCode" not in response
    assert "status" not in json.loads(response["responseTemplates"]["application/json"])


class Client:
    """Keeps the responses that are put on an API."""

    def __init__(self) -> None:
        self.put: dict[str, dict[str, str]] = {}

    def put_gateway_response(self, *, responseType: str, responseParameters: Any, **_: Any) -> None:  # noqa: N803
        self.put[responseType] = responseParameters

    def create_deployment(self, **_: Any) -> None: ...

    def update_stage(self, **_: Any) -> None: ...


@pytest.mark.parametrize(("origins", "shown"), [("https://a.example,https://b.example", True), ("", False)])
def test_pages_may_read_the_gateways_answers_if_the_stage_names_origins(origins: str, shown: bool) -> None:
    client = Client()
    gateway.apply(client, "an api", "a stage", origins)
    for headers in client.put.values():
        assert (headers.get("gatewayresponse.header.Access-Control-Allow-Origin") == "'*'") is shown
        assert "gatewayresponse.header.Access-Control-Allow-Credentials" not in headers
    assert client.put.keys() == gateway.responses().keys()


def test_the_packaged_api_has_the_headers_for_pages_by_the_same_rule() -> None:
    template = merge_template("dev", "arm64")
    body = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    for response in body["x-amazon-apigateway-gateway-responses"].values():
        header = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert header == {"Fn::If": ["HasCorsOrigins", "'*'", {"Ref": "AWS::NoValue"}]}
    assert "HasCorsOrigins" in template["Conditions"]
