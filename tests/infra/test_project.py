"""The generated .chalice/config.json, and the stage's API key."""

import json
from pathlib import Path

from infra import keys
from infra.functions import functions
from infra.project import configure
from infra.template import infra_template

OUTPUTS = {name: f"arn:{name}" for name in infra_template("dev")["Outputs"]} | {"ChronosAllowNetworks": ""}


def test_a_stage_has_the_infra_stacks_outputs_as_its_environment(tmp_path: Path) -> None:
    stage = _configured(tmp_path, "dev")["stages"]["dev"]
    assert stage["environment_variables"]["CHRONOS_RUNS_TABLE"] == "arn:ChronosRunsTable"
    assert "CHRONOS_ALLOW_NETWORKS" not in stage["environment_variables"], (
        "Lambda refuses nothing, but Chalice empty values"
    )


def test_each_function_has_its_own_limits_and_policy(tmp_path: Path) -> None:
    stage = _configured(tmp_path, "dev")["stages"]["dev"]
    for function in functions():
        limits = stage["lambda_functions"][function.chalice]
        assert (limits["lambda_timeout"], limits["lambda_memory_size"]) == (function.timeout, function.memory)
        policy = json.loads((tmp_path / ".chalice" / limits["iam_policy_file"]).read_text())
        assert "${" not in json.dumps(policy)


def test_configuring_a_stage_leaves_the_others(tmp_path: Path) -> None:
    _configured(tmp_path, "dev")
    assert _configured(tmp_path, "prod")["stages"].keys() == {"dev", "prod"}


def test_a_key_is_known_by_its_digest_and_differs_each_time() -> None:
    one, other = keys.new_key("dev"), keys.new_key("dev")
    assert one != other
    assert one.startswith("chronos_dev_")
    assert len(keys.digest(one)) == 64


def _configured(root: Path, stage: str) -> dict[str, dict[str, dict[str, dict[str, dict[str, str]]]]]:
    configure(stage, OUTPUTS, root)
    return json.loads((root / ".chalice" / "config.json").read_text())
