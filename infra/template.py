"""The infra template: resources.yaml, alarms.yaml, the lanes; by itself to deploy, merged with Chalice's to package."""

import re
from typing import Any

import yaml

from infra import gateway, lanes, layer_zips, sandboxed, ticks
from infra.functions import APP, LISTS, Function, Json, functions, policy
from infra.paths import INFRA

DISPOSABLE = ("dev", "local", "test", "ci", "pr")
"""Stages (or what a stage's name starts with, before a dash) whose tables and files go when the stack goes."""


def is_disposable(stage: str) -> bool:
    """Whether the stage's data go with it."""
    return stage.partition("-")[0] in DISPOSABLE


def infra_template(stage: str) -> Json:
    """The stack of everything but functions and API; the sandbox is of it, since Chalice cannot isolate tenants."""
    template = _resources(stage)
    template["Resources"].update(sandboxed.resources({"Ref": "Architecture"}))
    ticks.expand(template, guard=HAS_FUNCTIONS)
    return template


def _resources(stage: str) -> Json:
    template: Json = yaml.safe_load((INFRA / "resources.yaml").read_text())
    for section, entries in yaml.safe_load((INFRA / "alarms.yaml").read_text()).items():
        template[section].update(entries)
    lanes.expand(template)
    if is_disposable(stage):
        for resource in template["Resources"].values():
            resource.update(
                {key: "Delete" for key in ("DeletionPolicy", "UpdateReplacePolicy") if key in resource}
            )
            if "DeletionProtectionEnabled" in resource.get("Properties", {}):
                resource["Properties"]["DeletionProtectionEnabled"] = False
    return template


def environment(outputs: dict[str, Any]) -> Json:
    """The functions' environment among the outputs: ChronosCatalogTable -> CHRONOS_CATALOG_TABLE."""
    return {
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper(): value
        for name, value in outputs.items()
        if name.startswith(("Chronos", "Powertools"))
    }


HAS_FUNCTIONS = "HasFunctions"
"""The condition of everything that waits for `chalice deploy`."""
HAS_ORIGINS = "HasCorsOrigins"
_NAMES_ORIGINS = {"Fn::Not": [{"Fn::Equals": [{"Ref": "CorsOrigins"}, ""]}]}
LOGGING = {"LogFormat": "JSON", "SystemLogLevel": "WARN"}
"""Of a function: no START, END and REPORT of each invocation, which would be most of its log and of its price."""


def merge_template(stage: str, architecture: str) -> Json:
    """What `chalice package --merge-template` adds and overrides. The functions are known: nothing waits for them.

    The code zip is there too, so the architecture is no parameter any more.
    """
    template = _resources(stage)
    ticks.expand(template, guard=None)
    template["Outputs"]["ChronosArchitecture"]["Value"] = architecture
    arns = {function.resource + "Arn": function.resource for function in functions()}
    resources: Json = _inline(template["Resources"], arns)
    for resource in resources.values():
        if resource.get("Condition") == HAS_FUNCTIONS:
            del resource["Condition"]
    del template["Conditions"][HAS_FUNCTIONS]
    values = {name: output["Value"] for name, output in template["Outputs"].items()}
    for function in functions():
        resources[function.resource] = _function(function, environment(values))
    resources.update(sandboxed.resources(architecture))
    resources.update(layer_zips.resources(architecture))
    for lane in layer_zips.layered():
        layers = [{"Ref": layer_zips.resource_of(lane)}]
        resources[f"{lane.capitalize()}Worker"]["Properties"]["Layers"] = layers
    resources["RestAPI"] = {"Properties": _api()}
    return {
        "Description": template["Description"],
        "Parameters": {
            name: value
            for name, value in template["Parameters"].items()
            if name not in arns and name != "Architecture"
        },
        "Conditions": {**template["Conditions"], HAS_ORIGINS: _NAMES_ORIGINS},
        "Mappings": template["Mappings"],
        "Resources": resources,
        "Outputs": template["Outputs"],
    }


def package_policy(function: Function, stage: str) -> Json:
    """The function's policy in terms of the one stack's resources."""
    outputs = infra_template(stage)["Outputs"]

    def fill(output: str, suffix: str) -> Any:
        value = outputs[output]["Value"]
        if output in LISTS:
            return {"Fn::Split": [",", value]}
        if not suffix:
            return value
        whole = value["Fn::Sub"] if "Fn::Sub" in value else f"${{{'.'.join(value['Fn::GetAtt'])}}}"
        return {"Fn::Sub": whole + suffix}

    return policy(function, fill)


def _function(function: Function, variables: Json) -> Json:
    name = function.full_name("${Stage}")
    loop = {"RecursiveLoop": "Allow"} if function.may_loop else {}
    return {
        "Properties": {
            "FunctionName": {"Fn::Sub": name},
            "Environment": {"Variables": variables},
            "LoggingConfig": {**LOGGING, "ApplicationLogLevel": {"Ref": "LogLevel"}},
            **loop,
        }
    }


def _api() -> Json:
    shared = gateway.shared_if(HAS_ORIGINS)
    return {
        "Name": {"Fn::Sub": APP + "-${Stage}"},
        "DefinitionBody": {"x-amazon-apigateway-gateway-responses": gateway.swagger(shared)},
        "MethodSettings": [{"HttpMethod": "*", "ResourcePath": "/*", **gateway.THROTTLE}],
    }


def _inline(value: Any, arns: dict[str, str]) -> Any:
    """The same with {"Ref": "<Function>Arn"} replaced by the function's own ARN."""
    if isinstance(value, list):
        return [_inline(each, arns) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"} and value["Ref"] in arns:
        return {"Fn::GetAtt": [arns[value["Ref"]], "Arn"]}
    return {key: _inline(each, arns) for key, each in value.items()}
