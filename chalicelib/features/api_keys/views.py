"""API keys as clients see them: never with their text, but in the one answer that makes it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.permissions import Role
from chalicelib.features.paging import Page
from chalicelib.identity.access import USED_EVERY_MS
from chalicelib.identity.keys import PREFIX, ApiKey

_MOMENT: dict[str, Any] = {"format": "date-time"}


class KeyView(BaseModel):
    """An API key."""

    model_config = ConfigDict(defer_build=True)

    id: str
    name: str
    prefix: str = Field(description="How its text begins.")
    role: Role
    scopes: list[str] | None = Field(description="Of the role's permissions, only these. null: all of them.")
    member: str | None = Field(
        description="Whose key it is: it may no more than this member by then. null: the tenant's own."
    )
    created_at: str = Field(json_schema_extra=_MOMENT)
    created_by: str = Field(description="A user or a key; `deployment`: whoever deployed the stage.")
    expires_at: str | None = Field(json_schema_extra=_MOMENT, description="null: never.")
    last_used_at: str | None = Field(
        json_schema_extra=_MOMENT,
        description=f"Noted every {USED_EVERY_MS // 60_000} minutes at most. null: never.",
    )
    former_until: str | None = Field(
        json_schema_extra=_MOMENT, description="Until when the text before the last rotation is good, too."
    )
    revision: int = Field(description="Counts every change; it is the ETag.")


class NewKeyView(KeyView):
    """An API key with its text, which is shown in this answer and never again."""

    api_key: str = Field(description="Keep it: only its SHA-256 is stored.", repr=False)


class KeyPage(Page):
    """One page of API keys, the oldest first."""

    items: list[KeyView]


def key_view(key: ApiKey, now_ms: int) -> KeyView:
    return KeyView.model_construct(**_fields(key, now_ms))


def new_key_view(key: ApiKey, text: str, now_ms: int) -> NewKeyView:
    return NewKeyView.model_construct(**_fields(key, now_ms), api_key=text)


def _fields(key: ApiKey, now_ms: int) -> dict[str, Any]:
    former = key.former if key.former and key.former.until_ms > now_ms else None
    return {
        "id": key.id,
        "name": key.name,
        "prefix": PREFIX + key.id.removeprefix("key_"),
        "role": key.role,
        "scopes": None if key.scopes is None else sorted(key.scopes),
        "member": key.member,
        "created_at": rfc3339(key.created_ms),
        "created_by": key.created_by,
        "expires_at": _moment(key.expires_ms),
        "last_used_at": _moment(key.used_ms),
        "former_until": _moment(former.until_ms if former else None),
        "revision": key.revision,
    }


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
