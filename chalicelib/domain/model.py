"""What the domain's pydantic models have in common."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Never changed, and nothing unknown in it. Its validator is built at its first use: no cold start pays for all."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
