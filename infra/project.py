"""Chalice projects of one stage, under .chronos: the checkout's .chalice/config.json, and what the stage adds to it.

The checkout's own file is kept by hand, for what is true of every stage (see .chalice/README.md). Nothing writes to it.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.errors import Stop
from infra.functions import APP, Function, Json, from_outputs, functions, policy
from infra.paths import BUILD, ROOT, STAGES
from infra.template import environment, package_policy

CONFIG = ROOT / ".chalice" / "config.json"
API_STAGE = "api"
ARCHITECTURES = ("arm64", "x86_64")
_CODE = ("app.py", "requirements.txt", "chalicelib")


def defaults() -> Json:
    """The checkout's .chalice/config.json."""
    found: Json = json.loads(CONFIG.read_text())
    return found


def architecture(kept: str = "") -> str:
    """What Lambda runs on, x86_64 or arm64: of what is deployed, not of this machine.

    The environment's ARCHITECTURE, or what the stage has (`kept`), or what is said in .chalice/config.json. Stop if
    Lambda knows no such thing.
    """
    chosen = os.environ.get("ARCHITECTURE") or kept or str(defaults()["lambda_architecture"])
    if chosen not in ARCHITECTURES:
        raise Stop(f"ARCHITECTURE must be {' or '.join(ARCHITECTURES)}, not {chosen!r}.")
    return chosen


def for_package(stage: str, chosen: str) -> Path:
    """To package from: a clean copy of the code for an architecture, policies and variables left to the one stack."""
    project = _copied(BUILD / f"project-{stage}")
    _write(project, stage, lambda function: package_policy(function, stage), {"lambda_architecture": chosen})
    return project


def for_deployment(stage: str, outputs: Mapping[str, str], layers: Mapping[str, str]) -> Path:
    """To deploy from: a clean copy of the code, policies and variables from the infra stack's outputs.

    `layers` are the versions' ARNs by their lanes.
    """
    project = _copied(BUILD / f"deployment-{stage}")
    _of_stack(project, stage, outputs, {}, layers)
    return project


def for_deletion(stage: str) -> Path:
    """To delete from. Chalice wants an app there: an empty one, which can be imported even if ours cannot."""
    project = BUILD / f"deletion-{stage}"
    (project / ".chalice").mkdir(parents=True, exist_ok=True)
    (project / ".chalice" / "config.json").write_text(CONFIG.read_text())
    (project / "app.py").write_text(f"from chalice import Chalice\n\napp = Chalice({APP!r})\n")
    return project


def for_people(
    stage: str,
    outputs: Mapping[str, str],
    stages: Path = STAGES,
    *,
    variables: Mapping[str, str] | None = None,
    layers: Mapping[str, str] | None = None,
) -> Path:
    """To use the chalice command in: as `for_deployment`, but its code is this checkout's, as it is at any time.

    `variables` are added to those of the functions.
    """
    project = stages / stage
    project.mkdir(parents=True, exist_ok=True)
    for name in _CODE:
        link = project / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(ROOT / name, project))
    _of_stack(project, stage, outputs, variables or {}, layers or {})
    return project


def record(project: Path, stage: str, deployed: list[Json]) -> None:
    """Tell Chalice what there is of the stage in the account; what it knew is replaced."""
    folder = project / ".chalice" / "deployed"
    folder.mkdir(parents=True, exist_ok=True)
    known = {"schema_version": "2.0", "backend": "api", "resources": deployed}
    (folder / f"{stage}.json").write_text(json.dumps(known, indent=1) + "\n")


def _of_stack(
    project: Path,
    stage: str,
    outputs: Mapping[str, str],
    more: Mapping[str, str],
    layers: Mapping[str, str],
) -> None:
    # Chalice refuses empty values.
    variables = {name: value for name, value in environment(dict(outputs)).items() if value != ""}
    fill = from_outputs(outputs)
    added = {
        "environment_variables": {**variables, **more},
        "lambda_architecture": outputs["ChronosArchitecture"],
    }
    _write(project, stage, lambda function: policy(function, fill), added, layers)


def _write(
    project: Path,
    stage: str,
    policy_of: Callable[[Function], Json],
    added: Json,
    layers: Mapping[str, str] | None = None,
) -> None:
    folder = project / ".chalice"
    folder.mkdir(parents=True, exist_ok=True)
    policies: dict[str, Json] = {}
    for function in functions():
        name = f"policy-{stage}-{function.name}.json"
        (folder / name).write_text(json.dumps(policy_of(function), indent=1) + "\n")
        policies[function.chalice] = {"iam_policy_file": name}
    for lane, arn in (layers or {}).items():
        policies[f"{lane}_worker"]["layers"] = [arn]
    config = {**defaults(), "stages": {stage: {"lambda_functions": policies, **added}}}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def _copied(project: Path) -> Path:
    for name in _CODE:
        source, target = ROOT / name, project / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return project
