"""The `script` type: a shell, Python or Node.js script and what it may take."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.executors.base import ExecutorSpec, Permission

MAX_BYTES = 65_536
MAX_ITEMS = 100
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
RESERVED = ("PATH", "HOME", "TMPDIR", "LANG", "RUN_ID", "JOB_ID", "ATTEMPT", "SCHEDULED_AT")
"""Variables that a script is given anyway."""


def _plain(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold the character NUL")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode, without lone surrogates") from None
    if size > MAX_BYTES:
        raise ValueError(f"must be at most {MAX_BYTES:,} bytes of UTF-8")
    return text


def _named(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if not _NAME.fullmatch(name):
            raise ValueError("names of variables are letters, digits and _, and begin with no digit")
        if name in RESERVED:
            raise ValueError(f"{name} is set by Chronos")
    return variables


Text = Annotated[str, AfterValidator(_plain)]
Code = Annotated[int, Field(ge=0, le=255)]


class Config(BaseModel):
    """What runs, with what, and how much it may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: Literal["shell", "python", "node"] = Field(
        "shell",
        description="`shell` is /bin/sh. `node` only where the sandbox has it: Lambda's Python has not.",
    )
    script: Text = Field(min_length=1, description="The script itself, at most 65,536 bytes.")
    arguments: tuple[Text, ...] = Field((), max_length=MAX_ITEMS, description="Given to it as they are.")
    environment: Annotated[dict[str, Text], AfterValidator(_named)] = Field(
        {},
        max_length=MAX_ITEMS,
        description="Its variables, beside PATH, HOME, TMPDIR, LANG, RUN_ID, JOB_ID, ATTEMPT and SCHEDULED_AT.",
    )
    stdin: Text = Field("", description="What it can read, at most 65,536 bytes.")
    expected_exit_codes: tuple[Code, ...] = Field(
        (0,), min_length=1, max_length=MAX_ITEMS, description="Exit codes that are a success."
    )
    memory_mb: int = Field(256, ge=32, le=896, description="Of each of its processes, in MB.")
    processes: int = Field(64, ge=1, le=256, description="How many there may be at once, threads counted.")
    max_file_mb: int = Field(64, ge=1, le=448, description="The largest file that it may write, in MB.")
    max_output_kb: int = Field(
        256, ge=1, le=1024, description="How much is kept of each of its outputs, in KB; the rest is counted."
    )


SPEC = ExecutorSpec(
    type="script",
    config=Config,
    title="Script",
    description="Runs a script in a sandbox, without network, and keeps its output.",
    example={
        "language": "python",
        "script": "import sys\nprint('hello', sys.argv[1])\n",
        "arguments": ["world"],
    },
    permissions=(
        Permission(
            "Nothing of its owner's: the sandbox's role may write its log, and scripts have no network."
        ),
    ),
    errors=("script_exit", "script_killed", "cloud"),
    limits=(
        "64 KB of script, and of input; 100 arguments; 100 variables.",
        "It has two and a half seconds less than the job's time limit, and one second to end itself.",
        "After 50 MB of output it is ended; 4 KB of each output are in the result, more in files of the run.",
    ),
    examples={
        "A check by a shell script": {
            "name": "check",
            "schedule": {"kind": "interval", "every": "PT15M"},
            "config": {
                "script": 'test "$(cat)" = ready || { echo "it is not ready" >&2; exit 3; }',
                "stdin": "ready",
            },
            "retry": {"max_attempts": 2, "give_up_on": ["script_killed"]},
            "timeout_seconds": 30,
        }
    },
)
