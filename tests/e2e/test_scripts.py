"""Scripts in the deployed sandbox: from the api over their own lane's worker to a function that may do nothing."""

import pytest

from infra.local import stack as local
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e
CURIOUS = """
import os
print(sorted(os.environ))
for place in ("/proc/%d/environ" % os.getppid(), "/tmp"):
    try:
        print(open(place).read() if place.startswith("/proc") else os.listdir(place))
    except OSError as error:
        print(place, error.strerror)
"""


def test_a_script_runs_and_its_output_comes_back(api: Api) -> None:
    config = {
        "language": "python",
        "script": "import sys; print('hello', sys.argv[1])",
        "arguments": ["world"],
    }
    job = api.job({"kind": "manual"}, type="script", config=config)
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED", seconds=30)
    assert run["status"] == "SUCCEEDED", run
    assert run["attempts"][0]["result"]["stdout"] == "hello world\n"
    assert [line["message"] for line in api.get(f"/runs/{run['id']}/logs")["items"]] == ["hello world"]


def test_a_long_output_is_a_file_of_the_run(api: Api) -> None:
    job = api.job(
        {"kind": "manual"}, type="script", config={"script": "head -c 100000 /dev/zero | tr '\\0' x"}
    )
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED", seconds=30)
    [file] = run["attempts"][0]["outputs"]
    assert (file["name"], file["bytes"]) == ("stdout.txt", 100_000)
    assert run["attempts"][0]["result"]["stdout_truncated"] is True


def test_an_exit_code_ends_its_run(api: Api) -> None:
    job = api.job({"kind": "manual"}, type="script", config={"script": "exit 7"}, retry={"max_attempts": 1})
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED", seconds=30)
    assert run["attempts"][0]["error"]["kind"] == "script_exit"


def test_a_script_sees_nothing_of_the_deployment(api: Api, stack: Stack) -> None:
    config = {"language": "python", "script": CURIOUS}
    job = api.job({"kind": "manual"}, type="script", config=config)
    api.post(f"/jobs/{job['id']}/trigger")
    said = api.finished(job, "SUCCEEDED", "FAILED", seconds=30)["attempts"][0]["result"]["stdout"]
    assert "AWS" not in said
    assert "CHRONOS" not in said
    assert said.count("Permission denied") == 2, said
    found = stack.client("lambda").get_function_configuration(FunctionName=f"chronos-{local.STAGE}-sandbox")
    assert found.get("Environment", {}).get("Variables", {}) == {}


def test_the_sandboxs_role_may_write_its_log_and_nothing_else(stack: Stack) -> None:
    found = stack.client("lambda").get_function_configuration(FunctionName=f"chronos-{local.STAGE}-sandbox")
    role = found["Role"].rpartition("/")[2]
    iam = stack.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    (statement,) = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert "chronos-local-sandbox" in str(statement["Resource"])
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
