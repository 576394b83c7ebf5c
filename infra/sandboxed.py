"""The sandbox's function in the template: its code in the template itself, a role that may do nothing but log."""

import ast
from typing import Any

from infra.bundle import RUNTIME
from infra.functions import APP
from infra.paths import INFRA

Json = dict[str, Any]


def code() -> str:
    """sandbox.py without its comments and docstrings: CloudFormation takes 51,200 bytes of template by itself."""
    tree = ast.parse((INFRA / "sandbox.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
    return ast.unparse(tree) + "\n"


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def resources(architecture: Json | str) -> Json:
    """The function and its role. It has no variables: those of the deployment are none of a script's business."""
    logs = {"Fn::GetAtt": ["SandboxLogs", "Arn"]}
    grants = [
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": [logs]}
    ]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "SandboxRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {"PolicyName": "log", "PolicyDocument": {"Version": "2012-10-17", "Statement": grants}}
                ],
            },
        },
        "Sandbox": {"Type": "AWS::Lambda::Function", "Properties": _function(architecture)},
    }


def _function(architecture: Json | str) -> Json:
    return {
        "FunctionName": {"Fn::Sub": f"{APP}-${{Stage}}-sandbox"},
        "Description": "Runs scripts, each apart from everything else.",
        "Runtime": RUNTIME,
        "Architectures": [architecture],
        "Handler": "index.handler",
        "Code": {"ZipFile": code()},
        "Role": {"Fn::GetAtt": ["SandboxRole", "Arn"]},
        "Timeout": 900,
        "MemorySize": 1024,
        "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
        "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": {"Ref": "SandboxLogs"}},
    }
