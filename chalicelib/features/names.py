"""What people call things."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

MAX_NAME = 100


def _plain(name: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in name):
        raise ValueError("must not contain control characters or invisible ones")
    return name


DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME, strict=True),
    AfterValidator(_plain),
]
"""Of a tenant, a person or a key: one line, without what would make it look like another."""
