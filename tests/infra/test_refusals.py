"""What stands in a deployment's way, and what the sentence about it says to do."""

import pytest

from infra import refusals
from infra.account import Live
from infra.errors import Stop
from infra.functions import functions
from infra.stacks import Stack
from infra.template import infra_template

OURS = infra_template("prod")["Description"]
NOTHING = Live()
REMAINS = Live(functions=((functions()[1], "arn:function", "arn:role"),))


@pytest.mark.parametrize("stage", ["dev", "pr-17", "x" * 20, "a"])
def test_a_name_that_can_be_part_of_names_is_accepted(stage: str) -> None:
    refusals.check_name(stage)


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("Prod", "a capital"),
        ("a_b", "an underscore"),
        ("1st", "a digit first"),
        ("x" * 21, "too long"),
        ("", "nothing"),
        ("dev\n", "a line's end"),
    ],
)
def test_another_is_refused(stage: str, why: str) -> None:
    with pytest.raises(Stop, match="at most 20 small letters"):
        refusals.check_name(stage)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_at_rest_is_deployed_again(status: str) -> None:
    refusals.check_usable(_stack(status), REMAINS, "prod")


def test_a_stage_that_is_not_there_is_deployed() -> None:
    refusals.check_usable(None, NOTHING, "prod")


@pytest.mark.parametrize(
    ("status", "todo"),
    [
        ("ROLLBACK_COMPLETE", "make destroy STAGE=prod"),
        ("ROLLBACK_FAILED", "make destroy STAGE=prod"),
        ("CREATE_FAILED", "make destroy STAGE=prod"),
        ("DELETE_FAILED", "make destroy STAGE=prod"),
        ("REVIEW_IN_PROGRESS", "make destroy STAGE=prod"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name chronos-prod"),
        ("UPDATE_IN_PROGRESS", "wait"),
        ("DELETE_IN_PROGRESS", "wait"),
    ],
)
def test_any_other_state_is_named_with_what_to_do(status: str, todo: str) -> None:
    with pytest.raises(Stop, match=status) as stop:
        refusals.check_usable(_stack(status), NOTHING, "prod")
    assert todo in str(stop.value)


@pytest.mark.parametrize(
    ("stack", "live", "why"),
    [
        (Stack("CREATE_COMPLETE", "Accounting", {}, {}), NOTHING, "somebody else's stack"),
        (
            Stack("CREATE_COMPLETE", OURS, {}, {"RestAPIId": "x"}),
            REMAINS,
            "made by `make package`: an update would remove its functions",
        ),
        (None, REMAINS, "functions of our names that no stack of ours belongs to"),
    ],
)
def test_a_clash_of_names_is_not_resolved_by_force(stack: Stack | None, live: Live, why: str) -> None:
    with pytest.raises(Stop, match="choose another STAGE"):
        refusals.check_usable(stack, live, "prod")


@pytest.mark.parametrize(
    ("existed", "todo"), [(True, "run the same command again"), (False, "make destroy STAGE=prod")]
)
def test_a_failure_of_the_stack_says_its_reasons_and_what_to_do(existed: bool, todo: str) -> None:
    said = str(refusals.after_failure(Stop("FastQueue: quota"), "prod", existed=existed))
    assert said.startswith("FastQueue: quota")
    assert todo in said


def _stack(status: str) -> Stack:
    return Stack(status, OURS, {}, {})
