"""`make deploy`, `make config`, `make destroy`, and the chalice command itself, with the emulator for AWS.

All of `chalice deploy` works there, its REST API included: our launcher completes the import of APIs. What it cannot
show: that AWS accepts every word of policies and templates, and the address that API Gateway gives.
"""

import json
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from chalicelib.domain.lanes import LANES
from infra import project
from infra.bundle import bundle, local_architecture
from infra.functions import from_outputs, functions, policy
from infra.local import process
from infra.local.process import Emulator, free_port
from infra.template import LOGGING, environment, infra_template
from tests.support.account import Account, Deployed, Place
from tests.support.checkout import checkout
from tests.support.waiting import eventually
from tests.support.wheels import hashes_of, parrot, requiring

pytestmark = pytest.mark.e2e
JOB = {"name": "kept", "type": "dummy", "schedule": {"kind": "manual"}}


@pytest.fixture(scope="module")
def emulator(stack_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = process.start(free_port(), tmp_path_factory.mktemp("account"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def account(emulator: Emulator) -> Account:
    return Account(emulator.url)


@pytest.fixture(scope="module")
def place(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A checkout whose lane `script` has a layer of the test's own, whatever the lanes have."""
    checked_out = checkout(tmp_path_factory.mktemp("checkout"))
    _layer(checked_out.folder, "1.0")
    return Place(checked_out, emulator.url)


@pytest.fixture(scope="module")
def live(place: Place, account: Account) -> Deployed:
    """The stage `live`, deployed by `make deploy`."""
    return Deployed(account, place.deploy("live"))


def test_a_deployed_stage_runs_jobs_for_those_who_have_its_key(live: Deployed) -> None:
    assert requests.get(f"{live.url}/jobs", timeout=30).status_code == 401
    job = live.call("POST", "/jobs", JOB)
    run = live.call("POST", f"/jobs/{job['id']}/trigger")
    assert eventually(lambda: live.call("GET", f"/runs/{run['id']}")["status"] == "SUCCEEDED")


def test_another_key_is_made_when_it_is_asked_for_and_the_former_stays_good(
    live: Deployed, place: Place, account: Account
) -> None:
    done = place.infra("deploy", "live", "--new-key")
    another = Deployed(account, done.stdout)
    assert another.key != live.key
    assert "password" not in done.stdout, "the owner is there already"
    for each in (live, another):
        assert each.call("GET", "/jobs?limit=1") is not None
    tables = account.outputs("live")
    assert another.key not in str(account.client("dynamodb").scan(TableName=tables["ChronosCatalogTable"]))


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
def test_each_function_has_its_limits_variables_and_policy(
    function: Any, live: Deployed, account: Account
) -> None:
    outputs = account.outputs("live")
    made = account.function(function.full_name("live"))
    limits = project.defaults()["lambda_functions"][function.chalice]
    assert (made["Timeout"], made["MemorySize"]) == (limits["lambda_timeout"], limits["lambda_memory_size"])
    assert made["Architectures"] == [local_architecture()]
    assert made["LoggingConfig"].items() >= {**LOGGING, "ApplicationLogLevel": "INFO"}.items()
    assert made["Environment"]["Variables"] == {k: v for k, v in environment(outputs).items() if v}
    role = made["Role"].rpartition("/")[2]
    [name] = account.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    document = account.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    assert document == policy(function, from_outputs(outputs))


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
def test_a_worker_may_feed_its_own_queue_as_often_as_it_needs(
    function: Any, live: Deployed, account: Account
) -> None:
    name = function.full_name("live")
    answer = account.client("lambda").get_function_recursion_config(FunctionName=name)
    assert answer["RecursiveLoop"] == ("Allow" if function.may_loop else "Terminate")


def test_callbacks_have_a_key_and_an_address_which_later_deployments_keep(
    live: Deployed, place: Place, account: Account
) -> None:
    def stored() -> dict[str, tuple[str, str]]:
        names = [f"/chronos/live/{name}" for name in ("signing-key", "public-url")]
        found = account.client("ssm").get_parameters(Names=names, WithDecryption=True)["Parameters"]
        return {each["Name"].rpartition("/")[2]: (each["Type"], each["Value"]) for each in found}

    before = stored()
    assert (before["signing-key"][0], before["public-url"][0]) == ("SecureString", "String")
    assert f"https://{live.api}.execute-api." in before["public-url"][1]
    assert place.infra("deploy", "live", PUBLIC_URL="https://jobs.example.com/").returncode == 0
    assert stored() == {**before, "public-url": ("String", "https://jobs.example.com")}
    done = place.infra("callbacks", "live")
    assert done.returncode == 0, done.stderr
    assert stored()["public-url"][1] == "https://jobs.example.com", "it is kept until another is given"
    assert before["signing-key"] == stored()["signing-key"]


def test_access_tokens_have_keys_which_are_rotated_and_forgotten_by_a_command(
    live: Deployed, place: Place, account: Account
) -> None:
    def stored() -> list[str]:
        name = "/chronos/live/token-keys"
        found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
        assert found["Type"] == "SecureString"
        return [key["id"] for key in json.loads(found["Value"])]

    [first] = stored()
    assert place.infra("keys", "live").returncode == 0
    assert stored() == [first], "nothing is made twice"
    done = place.infra("keys", "live", "--new-key")
    assert (done.returncode, "2 are known" in done.stdout) == (0, True), done.stderr
    assert stored()[1:] == [first]
    assert place.infra("keys", "live", "--force").returncode == 0
    assert len(stored()) == 1


@pytest.mark.parametrize("command", ["callbacks", "keys"])
def test_there_are_no_callbacks_and_no_keys_without_an_api(place: Place, command: str) -> None:
    done = place.infra(command, "nowhere")
    assert (done.returncode, done.stderr) == (1, "There is no API of nowhere here: deploy it first.\n")


def test_each_lane_feeds_its_worker_and_all_dead_letters_one_function(
    live: Deployed, account: Account
) -> None:
    outputs, fed = account.outputs("live"), {}
    for mapping in account.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
        if "chronos-live-" in mapping["FunctionArn"]:
            assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            fed[mapping["EventSourceArn"]] = mapping["FunctionArn"].rpartition("-")[2]
    assert fed == {
        **{outputs[f"{lane.capitalize()}QueueArn"]: f"{lane}_worker" for lane in LANES},
        outputs["DeadLetterQueueArn"]: "dead_letters",
    }


def test_four_schedules_fire_the_dispatcher(live: Deployed, account: Account) -> None:
    scheduler = account.client("scheduler")
    names = [each["Name"] for each in scheduler.list_schedules(GroupName="chronos-live")["Schedules"]]
    targets = [scheduler.get_schedule(GroupName="chronos-live", Name=name)["Target"] for name in names]
    assert {target["Arn"] for target in targets} == {
        account.function("chronos-live-dispatcher")["FunctionArn"]
    }
    assert sorted(json.loads(target["Input"])["group"] for target in targets) == [0, 1, 2, 3]


def test_what_the_account_tells_is_what_chalice_wrote_down(live: Deployed, place: Place) -> None:
    build, stages = place.folder / ".chronos" / "build", place.folder / ".chronos" / "stages"
    theirs, ours = (
        json.loads((folder / ".chalice" / "deployed" / "live.json").read_text())
        for folder in (build / "deployment-live", stages / "live")
    )
    by_name = operator.itemgetter("name")
    assert sorted(ours["resources"], key=by_name) == sorted(theirs["resources"], key=by_name)
    assert ours["schema_version"] == theirs["schema_version"]


def test_the_gateway_answers_with_problem_documents(live: Deployed) -> None:
    answer = requests.get(f"{live.url}/nowhere", timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_second_deployment_without_a_change_says_so_and_touches_nothing(
    live: Deployed, place: Place, account: Account
) -> None:
    place.deploy("live")  # another test may have deployed other code
    before = account.function("chronos-live")["RevisionId"]
    said = place.deploy("live")
    assert f"live is up to date: https://{live.api}." in said
    assert "chalice" not in said
    assert account.function("chronos-live")["RevisionId"] == before


def test_changed_code_from_another_checkout_updates_the_stage_and_keeps_its_data_key_and_address(
    live: Deployed, emulator: Emulator, tmp_path: Path
) -> None:
    job = live.call("POST", "/jobs", JOB)
    other = Place(checkout(tmp_path), emulator.url)
    other.change("9.9.9")
    said = other.deploy("live")
    assert "API key" not in said
    assert f"Deployed: https://{live.api}." in said
    assert live.call("GET", "/health")["version"] == "9.9.9"
    assert live.call("GET", f"/jobs/{job['id']}")["name"] == "kept"


def test_the_chalice_command_deploys_changed_code_in_the_stages_project(
    live: Deployed, place: Place, emulator: Emulator, tmp_path: Path
) -> None:
    other = Place(checkout(tmp_path), emulator.url)
    said = other.infra("config", "live").stdout
    (command,) = re.findall(r"^    \S+/chalice (.+)$", said, re.MULTILINE)
    other.change("8.8.8")
    bundle(other.folder / ".chronos" / "stages" / "live", local_architecture())  # what Chalice would download
    assert f"https://{live.api}." in other.chalice(*command.split())
    assert live.call("GET", "/health")["version"] == "8.8.8"
    assert "chalice deploy" in place.deploy("live"), "what was deployed beside it is noticed"


def test_a_layer_is_published_when_its_packages_change_and_only_its_worker_has_it(
    live: Deployed, place: Place, account: Account
) -> None:
    def layers_of(function: str) -> list[str]:
        found = account.function(f"chronos-live-{function}").get("Layers", [])
        return [each["Arn"].rpartition(":layer:")[2] for each in found]

    _layer(place.folder, "1.0")
    place.deploy("live")
    [before] = layers_of("script_worker")
    assert layers_of("fast_worker") == layers_of("dispatcher") == []
    place.change("7.7.7")
    place.deploy("live")
    assert layers_of("script_worker") == [before], "other code, the same packages"
    _layer(place.folder, "2.0")
    assert "layer script" in place.deploy("live")
    [after] = layers_of("script_worker")
    assert int(after.rpartition(":")[2]) > int(before.rpartition(":")[2])
    kept = account.client("lambda").list_layer_versions(LayerName="chronos-live-script")["LayerVersions"]
    assert [each["LayerVersionArn"].rpartition(":layer:")[2] for each in kept] == [after], (
        "the former one is gone"
    )
    config = json.loads((place.folder / ".chronos/stages/live/.chalice/config.json").read_text())
    [arn] = config["stages"]["live"]["lambda_functions"]["script_worker"]["layers"]
    assert arn.endswith(after), "the chalice command keeps it"


def test_destroying_a_stage_leaves_only_its_tables_and_files_and_names_them(
    place: Place, account: Account
) -> None:
    place.deploy("gone")
    bucket = account.outputs("gone")["ChronosOutputsBucket"]
    tables = [
        name
        for name in account.client("dynamodb").list_tables()["TableNames"]
        if name.startswith("chronos-gone-")
    ]
    done = place.infra("destroy", "gone")
    assert "gone is gone." in done.stdout
    assert sorted(re.findall(r"delete-table --table-name (\S+)", done.stdout)) == sorted(tables)
    assert re.findall(r"s3 rb --force s3://(\S+)", done.stdout) == [bucket]
    left = account.everything("gone")
    assert sorted(each for each in left if bucket not in each) == sorted(tables)
    assert [each for each in left if bucket in each]
    names = [each["Name"] for each in account.client("ssm").describe_parameters()["Parameters"]]
    assert not [name for name in names if "/gone/" in name]
    assert not (place.folder / ".chronos" / "stages" / "gone").exists()
    layers = [each["LayerName"] for each in account.client("lambda").list_layers()["Layers"]]
    assert "chronos-gone-script" not in layers
    assert "There is nothing of gone here." in place.infra("destroy", "gone").stdout


def test_a_disposable_stage_goes_with_its_tables(place: Place, account: Account) -> None:
    template = infra_template("dev-gone")
    account.client("cloudformation").create_stack(
        StackName="chronos-dev-gone",
        TemplateBody=json.dumps(template, separators=(",", ":")),
        Capabilities=["CAPABILITY_IAM"],
    )
    eventually(lambda: account.outputs("dev-gone").get("ChronosOutputsBucket"))
    s3, bucket = account.client("s3"), account.outputs("dev-gone")["ChronosOutputsBucket"]
    s3.put_object(Bucket=bucket, Key="default/run_1/1.1/a.csv", Body=b"a")
    s3.create_multipart_upload(Bucket=bucket, Key="default/run_1/1.1/b.csv")
    done = place.infra("destroy", "dev-gone")
    assert "Kept" not in done.stdout
    assert account.everything("dev-gone") == []


REFUSED = [
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "There are no AWS credentials", "AWS_PROFILE"),
    ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"}, "AWS refuses the credentials", "renew them"),
    ({"AWS_PROFILE": "nobody"}, "profile (nobody) could not be found", "AWS_PROFILE"),
    ({"AWS_DEFAULT_REGION": ""}, "No AWS region is set", "AWS_DEFAULT_REGION"),
    ({"LEAD_MS": "99999"}, "CloudFormation refuses the stack chronos-unborn", "LeadMs"),
]


@pytest.mark.parametrize(("env", "said", "todo"), REFUSED, ids=[said for _, said, _ in REFUSED])
def test_what_cannot_be_deployed_is_said_in_a_sentence(
    env: dict[str, str], said: str, todo: str, place: Place, account: Account
) -> None:
    done = place.infra("deploy", "unborn", **env)
    assert done.returncode == 1
    assert said in done.stderr
    assert todo in done.stderr
    assert "Traceback" not in done.stderr
    assert account.everything("unborn") == []


def test_an_account_that_does_not_answer_is_no_matter_of_credentials(place: Place) -> None:
    done = place.infra(
        "deploy", "unborn", AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}", AWS_MAX_ATTEMPTS="1"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("AWS does not answer")


def test_a_stack_whose_creation_failed_is_removed_by_destroy(place: Place, account: Account) -> None:
    never = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "H"}, "Timeout": "1"},
    }
    _create(account, "failed", never, infra_template("failed")["Description"])
    eventually(lambda: _status(account, "failed") == "ROLLBACK_COMPLETE")
    done = place.infra("deploy", "failed")
    assert done.returncode == 1
    assert "in ROLLBACK_COMPLETE" in done.stderr
    assert "make destroy STAGE=failed" in done.stderr
    assert place.infra("destroy", "failed").returncode == 0
    assert _status(account, "failed") is None


def test_a_stack_of_someone_else_is_neither_updated_nor_destroyed(place: Place, account: Account) -> None:
    _create(account, "foreign", {"Type": "AWS::SQS::Queue"}, "Accounting")
    for command in ("deploy", "destroy"):
        done = place.infra(command, "foreign")
        assert done.returncode == 1
        assert "choose another STAGE" in done.stderr
    assert _status(account, "foreign") == "CREATE_COMPLETE"


def test_functions_of_the_same_name_without_a_stack_are_not_taken_over(
    place: Place, account: Account
) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    role = account.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))
    made = account.client("lambda").create_function(
        FunctionName="chronos-taken-dispatcher",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="app.main",
        Code={"ZipFile": b"PK\5\6" + bytes(18)},
    )
    done = place.infra("deploy", "taken")
    assert done.returncode == 1
    assert "chronos-taken-dispatcher" in done.stderr
    assert "choose another STAGE" in done.stderr
    assert account.function("chronos-taken-dispatcher")["RevisionId"] == made["RevisionId"]


def _layer(folder: Path, version: str) -> None:
    wheel, known = parrot(folder / "wheels", version), folder / "infra/hashes.json"
    [digests, *_] = hashes_of(wheel).values()
    known.write_text(json.dumps({**json.loads(known.read_text()), f"chronos-parrot=={version}": digests}))
    requiring(folder / "infra/layers/script.txt", folder / "wheels", f"chronos-parrot=={version}")


def _create(account: Account, stage: str, resource: dict[str, Any], description: str) -> None:
    resources = {"R": resource, "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    template = json.dumps({"Description": description, "Resources": resources})
    account.client("cloudformation").create_stack(StackName=f"chronos-{stage}", TemplateBody=template)


def _status(account: Account, stage: str) -> str | None:
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    found = [each["StackStatus"] for each in stacks if each["StackName"] == f"chronos-{stage}"]
    return found[0] if found and found[0] != "DELETE_COMPLETE" else None
