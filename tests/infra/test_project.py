"""Chalice projects: the checkout's own, and a stage's."""

import json
from pathlib import Path
from typing import Any

from infra.functions import functions
from infra.paths import ROOT
from infra.project import API_STAGE, defaults, for_people, record
from infra.template import infra_template

OUTPUTS = {name: f"arn:{name}" for name in infra_template("dev")["Outputs"]} | {"ChronosAllowNetworks": ""}


def test_a_stage_has_the_infra_stacks_outputs_as_its_environment(tmp_path: Path) -> None:
    stage = _config(for_people("dev", OUTPUTS, tmp_path))["stages"]["dev"]
    assert stage["environment_variables"]["CHRONOS_RUNS_TABLE"] == "arn:ChronosRunsTable"
    assert "CHRONOS_ALLOW_NETWORKS" not in stage["environment_variables"], (
        "Lambda refuses nothing, but Chalice empty values"
    )


def test_each_function_of_a_stage_has_its_own_policy(tmp_path: Path) -> None:
    made = for_people("dev", OUTPUTS, tmp_path)
    files = _config(made)["stages"]["dev"]["lambda_functions"]
    assert files.keys() == {function.chalice for function in functions()}
    policies = {(made / ".chalice" / each["iam_policy_file"]).read_text() for each in files.values()}
    assert len(policies) == len(files), "no two share one"
    assert "${" not in "".join(policies)


def test_what_is_true_of_every_stage_comes_from_the_checkouts_own_config(tmp_path: Path) -> None:
    made = _config(for_people("dev", OUTPUTS, tmp_path))
    assert {name: value for name, value in made.items() if name != "stages"} == defaults()
    assert defaults()["api_gateway_stage"] == API_STAGE
    assert defaults()["lambda_functions"].keys() == {function.chalice for function in functions()}


def test_a_stages_project_has_the_checkouts_code_as_it_is_at_any_time(tmp_path: Path) -> None:
    for _ in range(2):
        made = for_people("dev", OUTPUTS, tmp_path)
    for name in ("app.py", "requirements.txt", "chalicelib"):
        assert (made / name).samefile(ROOT / name)


def test_chalice_is_told_what_is_deployed_and_forgets_what_it_knew(tmp_path: Path) -> None:
    record(tmp_path, "dev", [{"name": "former"}])
    record(tmp_path, "dev", [{"name": "rest_api", "rest_api_id": "x"}])
    known = json.loads((tmp_path / ".chalice" / "deployed" / "dev.json").read_text())
    assert known["resources"] == [{"name": "rest_api", "rest_api_id": "x"}]


def _config(project: Path) -> Any:
    return json.loads((project / ".chalice" / "config.json").read_text())
