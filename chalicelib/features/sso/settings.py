"""What a tenant says of its identity provider: set, read, taken away."""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from chalicelib.domain.errors import Conflict, Invalid, NotFound, ProviderFault, Unavailable
from chalicelib.domain.model import Value
from chalicelib.domain.template_filters import TemplateError
from chalicelib.domain.templates import Placeholder, SecretRef, parsed
from chalicelib.engine.core import Engine
from chalicelib.features.conditional import require_match
from chalicelib.identity.oidc import checked_issuer
from chalicelib.identity.oidc_exchange import discovered
from chalicelib.ports.table import Absent, ConditionFailed, Is, Item, Key, Put

TRIES = 5
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_MISSING = "This tenant has no single sign-on."


def _one_secret(text: str) -> str:
    secret_of(text)
    return text


def secret_of(text: str) -> SecretRef:
    """The secret that the text names. ValueError if it is anything else than that."""
    try:
        parts = parsed(text)
    except TemplateError as error:
        raise ValueError(str(error)) from None
    [first, *more] = parts
    named = first.secret if isinstance(first, Placeholder) and not first.filters else None
    if more or named is None or named.store != "secrets" or named.field:
        raise ValueError("must name a secret, as ${{ secrets.sso }}: what is secret is not kept here")
    return named


def _domains(values: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value.lower() for value in values))
    for each in found:
        if len(each) > 253 or not _DOMAIN.fullmatch(each):
            raise ValueError(f"must be domains such as example.com; {each[:80]!r} is none")
    return found


class SsoSettings(Value):
    """A tenant's identity provider, and whom it may let in."""

    issuer: Annotated[str, AfterValidator(checked_issuer)] = Field(
        min_length=1, max_length=2048, description="As its discovery document names it, to the letter."
    )
    client_id: str = Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    client_secret: Annotated[str, AfterValidator(_one_secret)] | None = Field(
        None,
        max_length=200,
        description="The name of a secret of the tenant, `${{ secrets.NAME }}`; null: a public client.",
    )
    email_domains: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], AfterValidator(_domains)] = (
        Field(min_length=1, max_length=20, description="Whose addresses are let in. Subdomains are others.")
    )
    default_role: Literal["admin", "editor", "operator", "viewer"] = Field(
        "viewer", description="Of those whom `auto_join` lets in."
    )
    auto_join: bool = Field(
        default=False,
        strict=True,
        description="Whether people become members when they first sign in; else who is none stays out.",
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """`revision` counts every change, also that they are taken away; 0: there never were any."""

    settings: SsoSettings | None = None
    revision: int = 0


def settings_key(tenant: str) -> Key:
    return f"{tenant}#sso", "settings"


def read(engine: Engine, tenant: str) -> Stored:
    item = engine.db.catalog.get(settings_key(tenant))
    if item is None:
        return Stored()
    doc = item.get("doc")
    return Stored(SsoSettings.model_validate_json(str(doc)) if doc else None, int(item["revision"]))


def found(stored: Stored) -> SsoSettings:
    """NotFound if there are none."""
    if stored.settings is None:
        raise NotFound(_MISSING)
    return stored.settings


def put(engine: Engine, tenant: str, wanted: SsoSettings, if_match: str | None) -> Stored:
    """What holds from now on. Invalid if the provider cannot be used; PreconditionFailed; Conflict."""
    require_match(if_match, read(engine, tenant).revision)
    _check_provider(engine, wanted)
    return _changed(engine, tenant, wanted, if_match)


def take_away(engine: Engine, tenant: str, if_match: str | None) -> None:
    """NotFound if there are none; else as `put`."""
    found(read(engine, tenant))
    _changed(engine, tenant, None, if_match)


def fingerprint(settings: SsoSettings) -> str:
    """Another one, if another provider or client is meant."""
    return hashlib.sha256(f"{settings.issuer}\n{settings.client_id}".encode()).hexdigest()


def _check_provider(engine: Engine, wanted: SsoSettings) -> None:
    try:
        discovered(engine.web, wanted.issuer)
    except (ProviderFault, Unavailable) as error:
        raise Invalid.field("/issuer", error.message, "unusable_provider") from None


def _shown(stored: Stored) -> dict[str, Any] | None:
    return stored.settings.model_dump(mode="json") if stored.settings else None


def _changed(engine: Engine, tenant: str, wanted: SsoSettings | None, if_match: str | None) -> Stored:
    for _ in range(TRIES):
        before = read(engine, tenant)
        require_match(if_match, before.revision)
        after = Stored(wanted, before.revision + 1)
        if after.settings == before.settings:
            return before
        pk, sk = settings_key(tenant)
        item: Item = {"pk": pk, "sk": sk, "revision": after.revision}
        if wanted is not None:
            item["doc"] = wanted.model_dump_json()
        try:
            engine.db.catalog.write(
                Put(item, Is("revision", before.revision) if before.revision else Absent())
            )
        except ConditionFailed:
            continue
        engine.witness.changed("sso", tenant, _shown(before), _shown(after))
        return after
    raise Conflict("Others keep changing these settings; try again.")
