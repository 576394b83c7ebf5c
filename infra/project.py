"""Chalice projects: config.json and policy files, written from functions.yaml; and a clean copy of the code."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.functions import APP, Function, Json, from_outputs, functions, policy
from infra.paths import BUILD, ROOT
from infra.template import environment, package_policy

API_STAGE = "api"
_CODE = ("app.py", "requirements.txt", "chalicelib")


def scratch(stage: str, architecture: str) -> Path:
    """A Chalice project of its own to package from: the code without caches, policies in terms of the one stack."""
    project = BUILD / f"project-{stage}"
    for name in _CODE:
        _copy(ROOT / name, project / name)
    policies = {function.name: package_policy(function, stage) for function in functions()}
    _write(project / ".chalice", stage, policies, {}, architecture, keep={})
    return project


def configure(stage: str, outputs: Mapping[str, str], root: Path = ROOT) -> None:
    """Write the stage into .chalice/config.json, and its policies, from the infra stack's outputs; others stay."""
    folder = root / ".chalice"
    existing = folder / "config.json"
    keep = json.loads(existing.read_text())["stages"] if existing.exists() else {}
    policies = {function.name: policy(function, from_outputs(outputs)) for function in functions()}
    _write(folder, stage, policies, environment(dict(outputs)), "x86_64", keep)


def _write(folder: Path, stage: str, policies: Json, variables: Json, architecture: str, keep: Json) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in policies.items():
        (folder / _policy_file(stage, name)).write_text(json.dumps(document, indent=1))
    config = {
        "version": "2.0",
        "app_name": APP,
        "autogen_policy": False,
        "api_gateway_endpoint_type": "REGIONAL",
        "lambda_architecture": architecture,
        "stages": {**keep, stage: _stage(stage, variables)},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def _stage(stage: str, variables: Json) -> Json:
    return {
        "api_gateway_stage": API_STAGE,
        "environment_variables": {name: value for name, value in variables.items() if value != ""},
        "iam_policy_file": _policy_file(stage, "api"),
        "lambda_functions": {function.chalice: _limits(stage, function) for function in functions()},
    }


def _limits(stage: str, function: Function) -> dict[str, Any]:
    return {
        "lambda_memory_size": function.memory,
        "lambda_timeout": function.timeout,
        "iam_policy_file": _policy_file(stage, function.name),
    }


def _policy_file(stage: str, function: str) -> str:
    return f"policy-{stage}-{function}.json"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
