"""The templates: what they promise to the code, and what they must never allow."""

import json
import re
from typing import Any

import pytest

from chalicelib.aws.telemetry import NAMESPACE
from chalicelib.config import PREFIX, Settings, load
from chalicelib.domain.lanes import LANES
from chalicelib.domain.plans import PLANS
from chalicelib.engine.audit import findings, watch
from chalicelib.engine.audit.pulse import LATE_MS
from infra import lanes
from infra.deploy import _settings as settings_of
from infra.errors import Stop
from infra.functions import Function, from_outputs, functions, policy
from infra.project import defaults
from infra.template import environment, infra_template, merge_template, package_policy
from infra.ticks import COUNTS

FILLED_ENVIRONMENT = {
    PREFIX + name.upper(): ",".join(f"{lane}=https://queue" for lane in LANES) if name == "queues" else "name"
    for name, field in Settings.model_fields.items()
    if field.is_required()
}
EVERY = pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
FILLED = from_outputs({name: f"<{name}>" for name in infra_template("dev")["Outputs"]})


def test_the_outputs_are_the_environment_that_the_settings_read() -> None:
    names = {name for name in environment(infra_template("dev")["Outputs"]) if name.startswith(PREFIX)}
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    required = {PREFIX + name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    assert required <= names <= known


NAMED_BY_USERS = {
    (
        "ssm:GetParameter",
        "<JobParametersArn>/*",
    ): "parameters that the owners of jobs put in, below the stage",
    ("secretsmanager:GetSecretValue", "<JobSecretsArn>/*"): "likewise; AWS adds six letters to each name",
}
"""What cannot be named when the stack is made, and why. Only the workers may read it, and of the parameters the api."""
NAMED_BY_RUNS = {
    (action, "<OutputsBucketArn>/*"): "each file has a key of its own; the bucket holds nothing else"
    for action in ("s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject")
}
"""Likewise."""


@EVERY
def test_a_policy_names_its_resources_and_actions(function: Function) -> None:
    for statement in policy(function, FILLED)["Statement"]:
        assert not [each for each in statement["Action"] if "*" in each]
        wild = {
            (action, each) for action in statement["Action"] for each in statement["Resource"] if "*" in each
        }
        assert wild <= NAMED_BY_USERS.keys() | NAMED_BY_RUNS.keys()
        of_providers = {("ssm:GetParameter", "<JobParametersArn>/*")} if function.name == "api" else set()
        assert not wild & NAMED_BY_USERS.keys() - of_providers or function.name.endswith("_worker")


def test_what_users_name_lies_below_the_stage() -> None:
    outputs = infra_template("dev")["Outputs"]
    for name in ("JobParametersArn", "JobSecretsArn"):
        assert "chronos/${Stage}" in outputs[name]["Value"]["Fn::Sub"]
    granted = {
        (action, each)
        for function in functions()
        for statement in policy(function, FILLED)["Statement"]
        for action in statement["Action"]
        for each in statement["Resource"]
    }
    assert NAMED_BY_USERS.keys() | NAMED_BY_RUNS.keys() <= granted


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
        if ours["Resource"] == {"Fn::Split": [",", ROLES]}:
            assert theirs["Resource"] == ["<JobRoleArns>"]
            continue
        assert [_resource(each) for each in ours["Resource"]] == [
            _output(each) for each in theirs["Resource"]
        ]


ROLES = infra_template("dev")["Outputs"]["JobRoleArns"]["Value"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("arn:aws:iam::1:role/a", ["arn:aws:iam::1:role/a"]),
        ("arn:aws:iam::1:role/a,arn:aws:iam::1:role/b", ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"]),
    ],
)
def test_only_workers_may_assume_just_the_roles_that_jobs_may_name(given: str, named: list[str]) -> None:
    filled = from_outputs({**{name: name for name in infra_template("dev")["Outputs"]}, "JobRoleArns": given})
    granted = {
        function.name: statement["Resource"]
        for function in functions()
        for statement in policy(function, filled)["Statement"]
        if "sts:AssumeRole" in statement["Action"]
    }
    assert granted == {f"{lane}_worker": named for lane in LANES}


def test_without_roles_the_workers_may_assume_one_that_is_not_there() -> None:
    condition, given, none = ROLES["Fn::If"]
    assert (condition, given) == ("HasJobRoles", {"Ref": "JobRoles"})
    assert none["Fn::Sub"].endswith(":role/chronos-${Stage}-none")


@pytest.mark.parametrize(
    ("queue", "function", "why"),
    [
        *(
            (f"{lane.capitalize()}Queue", f"{lane}_worker", "it must not come back while its worker may run")
            for lane in LANES
        ),
        ("DeadLetterQueue", "dead_letters", "nor a dead letter"),
    ],
)
def test_a_message_stays_hidden_a_little_longer_than_its_function_runs(
    queue: str, function: str, why: str
) -> None:
    timeout = defaults()["lambda_functions"][function]["lambda_timeout"]
    hidden = infra_template("dev")["Resources"][queue]["Properties"]["VisibilityTimeout"]
    assert timeout < hidden <= timeout + 15, why


def test_every_lane_of_the_engine_has_its_row() -> None:
    assert tuple(lanes.rows()) == LANES


def test_dead_letters_are_kept_longer_than_messages_since_they_keep_their_first_timestamp() -> None:
    queues = _of_type("AWS::SQS::Queue")
    kept = {name: queue["Properties"]["MessageRetentionPeriod"] for name, queue in queues.items()}
    assert kept.pop("DeadLetterQueue") > max(kept.values())


def test_a_lane_that_is_off_polls_nothing_and_alarms_nobody() -> None:
    for lane in map(str.capitalize, LANES):
        template = infra_template("prod")
        assert template["Parameters"][f"{lane}Lane"]["Default"] == "on"
        source = template["Resources"][f"{lane}WorkerSource"]["Properties"]
        assert source["Enabled"] == {"Fn::If": [f"{lane}IsOn", True, False]}
        assert template["Resources"][f"{lane}BacklogAlarm"]["Condition"] == f"{lane}IsOn"
    told = template["Outputs"]["ChronosLanes"]["Value"]["Fn::Join"][1]
    assert told == [{"Fn::If": [f"{lane.capitalize()}IsOn", lane, ""]} for lane in LANES]
    assert load({**FILLED_ENVIRONMENT, "CHRONOS_LANES": "fast,,long,,,,script"}).lanes == (
        "fast",
        "long",
        "script",
    )


@pytest.mark.parametrize(
    ("wanted", "off", "why"),
    [
        ("", {"Data", "Messaging", "Report", "Script"}, "what runs most jobs stays"),
        ("data, script", {"Messaging", "Report"}, "the others are off"),
        ("data,messaging,report,script", set(), "all of them"),
    ],
)
def test_lanes_are_switched_by_their_names(wanted: str, off: set[str], why: str) -> None:
    given = settings_of({"LANES": wanted})
    assert {name for name, state in given.items() if state == "off"} == {f"{lane}Lane" for lane in off}, why
    assert settings_of({}) == {}, "left as they are"


@pytest.mark.parametrize(
    ("given", "identity", "why"),
    [
        ({"MAIL_FROM": "chronos@example.com"}, "example.com", "the domain is what people verify"),
        (
            {"MAIL_FROM": "me@example.com", "MAIL_IDENTITY": "me@example.com"},
            "me@example.com",
            "an address alone",
        ),
        ({}, None, "left as it is"),
    ],
)
def test_the_api_may_send_as_the_identity_of_the_sender(
    given: dict[str, str], identity: str | None, why: str
) -> None:
    assert settings_of(given).get("MailIdentity") == identity, why


def test_a_lane_that_there_is_not_is_said() -> None:
    with pytest.raises(Stop, match="no lane dta"):
        settings_of({"LANES": "dta"})


def test_the_stacks_template_can_be_given_as_it_is() -> None:
    assert len(json.dumps(infra_template("prod"), separators=(",", ":")).encode()) < 51_200


def test_the_sandbox_has_no_variables_no_rights_and_an_environment_for_each_job() -> None:
    for resources in (infra_template("dev")["Resources"], merge_template("dev", "arm64")["Resources"]):
        sandbox = resources["Sandbox"]["Properties"]
        assert "Environment" not in sandbox
        assert sandbox["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
        (granted,) = resources["SandboxRole"]["Properties"]["Policies"]
        (statement,) = granted["PolicyDocument"]["Statement"]
        assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert statement["Resource"] == [{"Fn::GetAtt": ["SandboxLogs", "Arn"]}]
    callers = [each.name for each in functions() if "lambda:InvokeFunction" in json.dumps(each.statements)]
    assert "script_worker" in callers


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


@pytest.mark.parametrize("made", ["by itself", "merged"])
@pytest.mark.parametrize("dispatchers", COUNTS)
def test_the_schedules_cover_every_group_of_shards_once(dispatchers: int, made: str) -> None:
    template = infra_template("dev") if made == "by itself" else merge_template("dev", "arm64")
    given = {**defaults_of(template), "Dispatchers": str(dispatchers), "DispatcherArn": "arn:dispatcher"}
    inputs = [
        json.loads(
            each["Properties"]["Target"]["Input"]["Fn::Sub"].replace("${Dispatchers}", str(dispatchers))
        )
        for each in template["Resources"].values()
        if each.get("Type") == "AWS::Scheduler::Schedule"
        and holds(each.get("Condition", True), template, given)
    ]
    assert sorted((tick["group"], tick["groups"]) for tick in inputs) == [
        (group, dispatchers) for group in range(dispatchers)
    ]


def test_as_many_dispatchers_as_may_be_chosen_have_schedules() -> None:
    allowed = infra_template("dev")["Parameters"]["Dispatchers"]["AllowedValues"]
    assert tuple(allowed) == COUNTS
    assert all(64 % count == 0 for count in allowed), "they share the shards evenly"


def test_without_functions_nothing_ticks() -> None:
    template = infra_template("dev")
    ticks = _of_type("AWS::Scheduler::Schedule").values()
    assert not any(holds(each["Condition"], template, defaults_of(template)) for each in ticks)


def defaults_of(template: Any) -> dict[str, str]:
    return {name: str(each.get("Default")) for name, each in template["Parameters"].items()}


def holds(condition: Any, template: Any, given: dict[str, str]) -> bool:
    """What CloudFormation makes of a condition: its name, or its expression."""
    if isinstance(condition, bool):
        return condition
    if isinstance(condition, str):
        return holds(template["Conditions"][condition], template, given)
    ((function, parts),) = condition.items()
    match function:
        case "Condition":
            return holds(parts, template, given)
        case "Fn::Equals":
            left, right = (given[part["Ref"]] if isinstance(part, dict) else part for part in parts)
            return bool(left == right)
        case "Fn::Not":
            return not holds(parts[0], template, given)
    return (all if function == "Fn::And" else any)(holds(part, template, given) for part in parts)


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
        assert table["Properties"]["DeletionProtectionEnabled"] is (kept == "Retain"), why


@pytest.mark.parametrize(("stage", "kept"), [("dev", "Delete"), ("prod", "Retain")])
def test_files_outlive_the_stack_where_tables_do(stage: str, kept: str) -> None:
    [bucket] = _of_type("AWS::S3::Bucket", stage).values()
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == (kept, kept)


def test_files_are_private_encrypted_and_gone_a_day_after_their_runs() -> None:
    [bucket] = _of_type("AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    assert "VersioningConfiguration" not in properties, "a deleted file is gone"
    [rule] = properties["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Fn::FindInMap": ["Plans", {"Ref": "Plan"}, "OutputDays"]}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    plans = infra_template("dev")["Mappings"]["Plans"]
    assert {name: row["OutputDays"] for name, row in plans.items()} == {
        name: terms.retention.runs + 1 for name, terms in PLANS.items()
    }


def test_files_are_refused_to_whoever_comes_without_tls() -> None:
    [bucket_policy] = _of_type("AWS::S3::BucketPolicy").values()
    [statement] = bucket_policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_every_table_can_be_restored_to_any_second_of_the_last_35_days() -> None:
    for table in _of_type("AWS::DynamoDB::Table").values():
        recovery = table["Properties"]["PointInTimeRecoverySpecification"]
        assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_logs_are_kept_as_long_as_the_plan_has_it() -> None:
    template = infra_template("dev")
    assert {name: row["LogDays"] for name, row in template["Mappings"]["Plans"].items()} == {
        name: terms.retention.logs for name, terms in PLANS.items()
    }
    for group in _of_type("AWS::Logs::LogGroup").values():
        assert group["Properties"]["RetentionInDays"] == {
            "Fn::FindInMap": ["Plans", {"Ref": "Plan"}, "LogDays"]
        }
    assert template["Parameters"]["Plan"]["AllowedValues"] == list(PLANS)


def test_the_merged_template_needs_no_second_pass() -> None:
    merged = merge_template("dev", "arm64")
    text = json.dumps(merged)
    assert "HasFunctions" not in merged["Conditions"]
    assert '"Condition": "HasFunctions"' not in text
    assert not re.findall(r'"Ref": "\w+(?:Worker|DeadLetters|Dispatcher)Arn"', text)


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
    assert looping == allowed == {f"{lane}_worker" for lane in LANES}


def _alarms(metric: str) -> dict[str, Any]:
    """Those on a metric, by what they name: a queue's logical id, or nothing."""
    found = {}
    for alarm in _of_type("AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        value = properties["Dimensions"][0]["Value"]
        if properties["MetricName"] == metric:
            found[value["Fn::GetAtt"][0] if "Fn::GetAtt" in value else ""] = properties
    return found


def test_the_dead_mans_switch_goes_off_when_nobody_counts_or_when_a_group_is_missing() -> None:
    alarm = _alarms(watch.METRIC)[""]
    assert (alarm["Namespace"], alarm["Dimensions"]) == (
        NAMESPACE,
        [{"Name": "stage", "Value": {"Ref": "Stage"}}],
    )
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["Period"] * alarm["EvaluationPeriods"] == LATE_MS / 1000
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Minimum", "LessThanThreshold")
    assert alarm["Threshold"] == infra_template("dev")["Outputs"]["ChronosDispatchers"]["Value"]


def test_each_finding_of_the_auditor_is_told() -> None:
    alarm = _alarms(findings.METRIC)[""]
    assert (alarm["Namespace"], alarm["Statistic"], alarm["Threshold"]) == (NAMESPACE, "Sum", 0)
    assert alarm["TreatMissingData"] == "notBreaching"


def test_every_queue_has_the_alarm_that_it_needs() -> None:
    queues = _of_type("AWS::SQS::Queue")
    redriven = {name for name, queue in queues.items() if "RedrivePolicy" in queue["Properties"]}
    backlog = _alarms("ApproximateAgeOfOldestMessage")
    assert backlog.keys() == redriven
    for name, alarm in backlog.items():
        assert alarm["Threshold"] >= queues[name]["Properties"]["VisibilityTimeout"] + 120, "horizon and hold"
    assert _alarms("ApproximateNumberOfMessagesVisible").keys() == queues.keys() - redriven


def test_every_alarm_is_told_to_the_topic_to_which_an_address_may_subscribe() -> None:
    for name, alarm in _of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
    [subscription] = _of_type("AWS::SNS::Subscription").values()
    assert subscription["Condition"] == "HasAlarmEmail"
    assert "HasAlarmEmail" in merge_template("dev", "arm64")["Conditions"]


def _of_type(kind: str, stage: str = "dev") -> dict[str, Any]:
    return {name: each for name, each in infra_template(stage)["Resources"].items() if each["Type"] == kind}


def _resource(value: dict[str, Any]) -> str:
    return value["Fn::Sub"] if "Fn::Sub" in value else "${" + ".".join(value["Fn::GetAtt"]) + "}"


def _output(filled: str) -> str:
    name, _, suffix = filled.removeprefix("<").partition(">")
    value = infra_template("dev")["Outputs"][name]["Value"]
    if "Fn::Sub" in value:
        return str(value["Fn::Sub"]) + suffix
    return "${" + name.removesuffix("Arn") + ".Arn}" + suffix
