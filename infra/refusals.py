"""When a deployment is not begun, or fails, and what a person does then."""

import re

from infra.account import Live
from infra.errors import Stop
from infra.functions import Json
from infra.stacks import Stack, name_of
from infra.template import infra_template

_ANEW = "Remove it with `make destroy STAGE={stage}`, then deploy again."
_ADVICE = {
    "ROLLBACK_COMPLETE": f"its creation failed and was undone. {_ANEW}",
    "ROLLBACK_FAILED": f"its creation failed, and so did undoing it. {_ANEW}",
    "CREATE_FAILED": f"its creation failed. {_ANEW}",
    "DELETE_FAILED": "not all of it could be deleted. Run `make destroy STAGE={stage}` to the end first.",
    "REVIEW_IN_PROGRESS": f"it is a change set that nobody executed. {_ANEW}",
    "UPDATE_ROLLBACK_FAILED": "an update failed, and so did undoing it. Run "
    "`aws cloudformation continue-update-rollback --stack-name {name}`, then deploy again.",
}


def check_name(stage: str) -> None:
    """Stop if it cannot be a part of names."""
    pattern = infra_template(stage)["Parameters"]["Stage"]["AllowedPattern"]
    if not re.fullmatch(pattern, stage):
        raise Stop(
            f"STAGE={stage} cannot be: at most 20 small letters, digits and dashes, the first of them a letter."
        )


def check_ours(stack: Stack, stage: str) -> None:
    """Stop if the stack is someone else's."""
    if stack.description != _description(infra_template(stage)):
        raise Stop(f"There is a stack {name_of(stage)} here that is not of Chronos: choose another STAGE.")


def check_usable(stack: Stack | None, live: Live, stage: str) -> None:
    """Stop if the stage cannot be deployed as things stand."""
    name = name_of(stage)
    if stack is None:
        _check_free(live, stage)
        return
    check_ours(stack, stage)
    if stack.status in _ADVICE:
        raise Stop(
            f"The stack {name} is in {stack.status}: {_ADVICE[stack.status].format(stage=stage, name=name)}"
        )
    if stack.status.endswith("_IN_PROGRESS"):
        raise Stop(
            f"The stack {name} is being changed right now ({stack.status}): wait, and run the same command again."
        )
    if "RestAPIId" in stack.outputs:
        raise Stop(
            f"The stack {name} was made from the template of `make package`: "
            "update it in the same way, or choose another STAGE."
        )


def after_failure(failed: Stop, stage: str, *, existed: bool) -> Stop:
    """The failure of the infra stack, with what to do."""
    anew = f"remove what is left with `make destroy STAGE={stage}`, and deploy again"
    todo = "run the same command again: the stack is as it was before" if existed else anew
    return Stop(f"{failed}\nPut that right, then {todo}.")


def _check_free(live: Live, stage: str) -> None:
    if live.functions:
        names = ", ".join(function.full_name(stage) for function, _, _ in live.functions)
        raise Stop(
            f"There are functions of these names here, but no stack {name_of(stage)}: {names}. If an interrupted "
            f"`make destroy STAGE={stage}` left them, run it again; if they are someone else's, choose another STAGE."
        )


def _description(template: Json) -> str:
    return str(template["Description"])
