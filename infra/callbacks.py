"""What callbacks and access tokens need beside the stack: their keys, and the API's address, in the Parameter Store.

The address is known only when the API is there.
"""

from typing import Any

from infra.keys import CALLBACKS, TOKENS, name_of, read, write
from infra.keys import provide as provide_key

PUBLIC_URL = "public-url"
_OWN_ADDRESS = ".execute-api."


def provide(ssm: Any, stage: str, url: str, *, given: str | None = None) -> None:
    """Make what is missing. `url` is API Gateway's address; `given` the operator's own, which is kept from then on."""
    before = read(ssm, stage, PUBLIC_URL)
    is_own = before is not None and _OWN_ADDRESS not in before and _OWN_ADDRESS in url
    wanted = given or (before if before is not None and is_own else url)
    if wanted.rstrip("/") != before:
        write(ssm, stage, PUBLIC_URL, wanted.rstrip("/"), "String")
    for ring in (CALLBACKS, TOKENS):
        provide_key(ssm, stage, ring)


def remove(ssm: Any, stage: str) -> None:
    """All; nothing happens if they are not there. Tables that stay do not need them: a new stage has new tables."""
    names = (CALLBACKS.name, TOKENS.name, PUBLIC_URL)
    ssm.delete_parameters(Names=[name_of(stage, each) for each in names])
