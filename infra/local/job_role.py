"""The AWS role that jobs may name in the local system: for everything that job types do in AWS, in the emulator."""

import json
from typing import Any

ACCOUNT, NAME, TENANT = "000000000000", "chronos-jobs-local", "local"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
SERVICES = ("s3", "sqs", "sns", "events", "lambda", "states", "ses", "sts")


def provide(iam: Any) -> None:
    """Make the role, or bring it to this state. It asks for the tenant, as a role of users should."""
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": TENANT}},
    }
    rights = {"Effect": "Allow", "Action": [f"{each}:*" for each in SERVICES], "Resource": "*"}
    if NAME in [each["RoleName"] for each in iam.list_roles()["Roles"]]:
        iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=_document(trust))
    else:
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=_document(trust))
    iam.put_role_policy(RoleName=NAME, PolicyName="jobs", PolicyDocument=_document(rights))


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
