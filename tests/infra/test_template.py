"""The templates: what they promise to the code, and what they must never allow."""

import json
import re
from typing import Any

import pytest

from chalicelib.config import PREFIX, Settings
from infra.functions import Function, from_outputs, functions, policy
from infra.project import defaults
from infra.template import environment, infra_template, merge_template, package_policy

EVERY = pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
FILLED = from_outputs({name: f"<{name}>" for name in infra_template("dev")["Outputs"]})


def test_the_outputs_are_the_environment_that_the_settings_read() -> None:
    names = {name for name in environment(infra_template("dev")["Outputs"]) if name.startswith(PREFIX)}
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    required = {PREFIX + name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    assert required <= names <= known


@EVERY
def test_a_policy_names_its_resources_and_actions(function: Function) -> None:
    for statement in policy(function, FILLED)["Statement"]:
        assert not [each for each in statement["Resource"] + statement["Action"] if "*" in each]


@EVERY
def test_a_function_may_write_its_own_log_and_no_other(function: Function) -> None:
    statements = policy(function, FILLED)["Statement"]
    logs = [each for each in statements if any(action.startswith("logs:") for action in each["Action"])]
    own = "ApiLogs" if function.name == "api" else f"{function.resource}Logs"
    assert [each["Resource"] for each in logs] == [[f"<{own}Arn>"]]
    name = infra_template("dev")["Resources"][own]["Properties"]["LogGroupName"]
    assert name == {"Fn::Sub": "/aws/lambda/" + function.full_name("${Stage}")}


@EVERY
def test_both_routes_give_a_function_the_same_rights(function: Function) -> None:
    packaged, deployed = package_policy(function, "dev"), policy(function, FILLED)
    assert [each["Action"] for each in packaged["Statement"]] == [
        each["Action"] for each in deployed["Statement"]
    ]
    for ours, theirs in zip(packaged["Statement"], deployed["Statement"], strict=True):
        assert [_resource(each) for each in ours["Resource"]] == [
            _output(each) for each in theirs["Resource"]
        ]


@pytest.mark.parametrize(
    ("queue", "function", "why"),
    [
        ("FastQueue", "fast_worker", "a message must not come back while its worker may still run"),
        ("LongQueue", "long_worker", "a message must not come back while its worker may still run"),
        ("FastDeadLetterQueue", "fast_dlq", "nor a dead letter"),
        ("LongDeadLetterQueue", "long_dlq", "nor a dead letter"),
    ],
)
def test_a_message_stays_hidden_a_little_longer_than_its_function_runs(
    queue: str, function: str, why: str
) -> None:
    timeout = defaults()["lambda_functions"][function]["lambda_timeout"]
    hidden = infra_template("dev")["Resources"][queue]["Properties"]["VisibilityTimeout"]
    assert timeout < hidden <= timeout + 15, why


def test_dead_letters_are_kept_longer_than_messages_since_they_keep_their_first_timestamp() -> None:
    queues = _of_type("AWS::SQS::Queue")
    kept = {name: queue["Properties"]["MessageRetentionPeriod"] for name, queue in queues.items()}
    assert min(kept["FastDeadLetterQueue"], kept["LongDeadLetterQueue"]) > max(
        kept["FastQueue"], kept["LongQueue"]
    )


def test_every_event_source_takes_ten_messages_and_reports_each_failure() -> None:
    for name, source in _of_type("AWS::Lambda::EventSourceMapping").items():
        properties = source["Properties"]
        assert (properties["BatchSize"], properties["FunctionResponseTypes"]) == (
            10,
            ["ReportBatchItemFailures"],
        ), name
        assert isinstance(properties["ScalingConfig"]["MaximumConcurrency"], int), (
            "the emulator compares it with numbers"
        )


def test_the_schedules_cover_every_group_of_shards_once() -> None:
    ticks = [
        json.loads(each["Properties"]["Target"]["Input"])
        for each in _of_type("AWS::Scheduler::Schedule").values()
    ]
    groups = int(infra_template("dev")["Outputs"]["ChronosDispatchers"]["Value"])
    assert sorted((tick["group"], tick["groups"]) for tick in ticks) == [
        (group, groups) for group in range(groups)
    ]


@pytest.mark.parametrize(
    ("stage", "kept", "why"),
    [
        ("dev", "Delete", "disposable"),
        ("pr-17", "Delete", "what comes before the dash counts"),
        ("prod", "Retain", "data outlives a stack"),
        ("device", "Retain", "not every name that starts alike"),
    ],
)
def test_tables_outlive_the_stack_of_a_stage_that_is_not_disposable(stage: str, kept: str, why: str) -> None:
    for table in _of_type("AWS::DynamoDB::Table", stage).values():
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == (kept, kept), why


def test_the_merged_template_needs_no_second_pass() -> None:
    merged = merge_template("dev", "arm64")
    text = json.dumps(merged)
    assert "Conditions" not in merged
    assert '"Condition": "HasFunctions"' not in text
    assert not re.findall(r'"Ref": "\w+(?:Worker|Dlq|Dispatcher)Arn"', text)


def test_every_function_of_the_merged_template_has_the_whole_environment_and_a_name_of_its_stage() -> None:
    merged = merge_template("dev", "arm64")
    for function in functions():
        properties = merged["Resources"][function.resource]["Properties"]
        assert properties["FunctionName"] == {"Fn::Sub": function.full_name("${Stage}")}
        assert properties["Environment"]["Variables"].keys() == environment(merged["Outputs"]).keys()


def test_only_a_worker_may_feed_the_queue_that_feeds_it() -> None:
    looping = {function.name for function in functions() if function.may_loop}
    merged = merge_template("dev", "arm64")["Resources"]
    allowed = {each.name for each in functions() if "RecursiveLoop" in merged[each.resource]["Properties"]}
    assert looping == allowed == {"fast_worker", "long_worker"}


def _of_type(kind: str, stage: str = "dev") -> dict[str, Any]:
    return {name: each for name, each in infra_template(stage)["Resources"].items() if each["Type"] == kind}


def _resource(value: dict[str, Any]) -> str:
    return value["Fn::Sub"] if "Fn::Sub" in value else "${" + ".".join(value["Fn::GetAtt"]) + "}"


def _output(filled: str) -> str:
    name, _, suffix = filled.removeprefix("<").partition(">")
    return "${" + name.removesuffix("Arn") + ".Arn}" + suffix
