"""docs/state-machine.md is drawn from the transition table. (The engine's tests refuse every other transition.)"""

from pathlib import Path

from chalicelib.domain.run import FINAL, TRANSITIONS, RunStatus

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"


def drawing() -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    for arrow in TRANSITIONS:
        source = arrow.source.value if arrow.source else "[*]"
        lines.append(f"    {source} --> {arrow.target.value}: {arrow.mover}, {arrow.when}")
    lines += [f"    {status.value} --> [*]" for status in FINAL]
    return "\n".join([*lines, "```"])


def test_the_page_shows_the_table_as_it_is() -> None:
    assert drawing() in PAGE.read_text(), f"docs/state-machine.md should hold this drawing:\n{drawing()}"


def test_every_state_is_reached_and_every_lasting_one_is_left() -> None:
    assert {arrow.target for arrow in TRANSITIONS} == set(RunStatus)
    left = {arrow.source for arrow in TRANSITIONS}
    assert set(RunStatus) - set(FINAL) <= left
