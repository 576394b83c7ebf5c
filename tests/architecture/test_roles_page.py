"""docs/security.md shows the table of permissions as the code has it."""

from pathlib import Path
from typing import get_args

from chalicelib.domain.permissions import ACCOUNT, PERMISSIONS, ROLES, Role

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def table() -> str:
    roles = get_args(Role)
    rows = [
        [f"`{permission}`", *("yes" if permission in ROLES[role] else "" for role in roles)]
        for permission in sorted(PERMISSIONS - ACCOUNT)
    ]
    lines = [["permission", *roles], ["---"] * (len(roles) + 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def test_the_page_shows_the_table_as_it_is() -> None:
    assert table() in PAGE.read_text(), f"docs/security.md should hold this table:\n{table()}"
