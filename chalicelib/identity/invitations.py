"""Invitations into a tenant: for one address and one role, good for seven days, answered once.

The text is a secret like a key's. Who shows one that was mailed has shown that the address is theirs; one that its
inviter was told, since no mail could be sent, shows nothing of the kind.
"""

from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.errors import InvitationOver
from chalicelib.domain.permissions import Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.identity import bearer
from chalicelib.identity.bearer import Shown
from chalicelib.identity.keys import bounded, read_key
from chalicelib.identity.members import read_member
from chalicelib.ports.table import (
    Absent,
    AllOf,
    Below,
    Delete,
    Is,
    Item,
    Key,
    Lacks,
    Put,
    TableName,
    Update,
    all_of,
    any_of,
)

PREFIX = "chronos_invite_"
INVITING = "members:write"
"""The permission to write one."""
GOOD_MS = 7 * 86_400_000
MAX_A_DAY = 100
"""Of a tenant: so many strangers it may write to."""
_KEPT_SECONDS = 30 * 86_400
"""For how long one that was answered, or is over, is still shown."""
_DAY_MS = 86_400_000
Status = Literal["pending", "accepted", "declined"]
Writes = tuple[tuple[TableName, Put | Update | Delete], ...]


@dataclass(frozen=True, slots=True)
class Invitation:
    """Moments are epoch milliseconds. `mailed`: its text was sent to the address, and told nobody else."""

    id: str
    tenant: str
    email: str
    role: Role
    digest: str
    created_ms: int
    created_by: str
    expires_ms: int
    mailed: bool = False
    status: Status = "pending"
    answered_by: str | None = None

    def is_expired(self, now_ms: int) -> bool:
        return self.expires_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new one is to be. `created_by`: the id of a user or of a key. `mailed`: its text will go by mail."""

    tenant: str
    email: str
    role: Role
    created_by: str
    mailed: bool = False


def written(wanted: Wanted, now_ms: int, randomness: bytes) -> tuple[Invitation, str]:
    """A new one and its text. `randomness` as of bearer.drawn."""
    shown, text = bearer.made(PREFIX, now_ms, randomness)
    made = Invitation(
        id="invite_" + shown.ulid,
        tenant=wanted.tenant,
        email=wanted.email,
        role=wanted.role,
        digest=shown.digest,
        created_ms=now_ms,
        created_by=wanted.created_by,
        expires_ms=now_ms + GOOD_MS,
        mailed=wanted.mailed,
    )
    return made, text


def parsed(text: str) -> Shown | None:
    """None if this can be no invitation."""
    return bearer.parsed(PREFIX, text)


def invitation_key(tenant: str, invitation_id: str) -> Key:
    return f"{tenant}#invitations", invitation_id


def whose_key(invitation_id: str) -> Key:
    """Where the tenant of an invitation is found."""
    return f"invite#{invitation_id}", "invite"


def creation_writes(invitation: Invitation, now_ms: int) -> Writes:
    """What belongs into the transaction that makes it. Refused if the tenant has invited too many today."""
    pk, sk = whose_key(invitation.id)
    whose: Item = {"pk": pk, "sk": sk, "tenant": invitation.tenant, "expires_at": _expires_at(invitation)}
    today = f"{invitation.tenant}#tenant", f"invited#{now_ms // _DAY_MS}"
    counted = Update(
        today,
        set={"expires_at": now_ms // 1000 + 2 * 86_400},
        add={"count": 1},
        when=any_of(Lacks("count"), Below("count", MAX_A_DAY)),
    )
    return (
        ("catalog", Put(encode(invitation), Absent())),
        ("catalog", Put(whose, Absent())),
        ("catalog", counted),
    )


def revocation_writes(invitation: Invitation) -> Writes:
    return (
        ("catalog", Delete(invitation_key(invitation.tenant, invitation.id))),
        ("catalog", Delete(whose_key(invitation.id))),
    )


def answer_write(invitation: Invitation, status: Status, user_id: str | None) -> tuple[TableName, Update]:
    """It is answered; refused if it was already, or was taken back."""
    answered: Item = {"status": status, **({"answered_by": user_id} if user_id else {})}
    key = invitation_key(invitation.tenant, invitation.id)
    return "catalog", Update(key, set=answered, when=_unanswered(invitation))


def not_mailed_write(invitation: Invitation) -> Update:
    """Its text is told to its writer; refused if it was answered."""
    key = invitation_key(invitation.tenant, invitation.id)
    return Update(key, set={"mailed": 0}, when=_unanswered(invitation))


def check_backed(engine: Engine, invitation: Invitation) -> None:
    """InvitationOver unless who wrote it could still write it: nobody leaves doors open behind them."""
    wanted = permissions_of(invitation.role) | {INVITING}
    if not wanted <= _permissions_now(engine, invitation):
        raise InvitationOver("Who wrote this invitation may not invite any more: ask for another one.")


def _permissions_now(engine: Engine, invitation: Invitation) -> frozenset[str]:
    by, now_ms = invitation.created_by, engine.clock.now_ms()
    if by.startswith("user_"):
        member = read_member(engine, invitation.tenant, by)
        return permissions_of(member.role) if member else frozenset()
    key = read_key(engine, by)
    if key is not None and key.member is not None:
        key = bounded(key, read_member(engine, key.tenant, key.member))
    return key.permissions if key and not key.is_expired(now_ms) else frozenset()


def encode(invitation: Invitation) -> Item:
    pk, sk = invitation_key(invitation.tenant, invitation.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "tenant": invitation.tenant,
        "email": invitation.email,
        "role": invitation.role,
        "digest": invitation.digest,
        "created_ms": invitation.created_ms,
        "created_by": invitation.created_by,
        "expires_ms": invitation.expires_ms,
        "mailed": int(invitation.mailed),
        "status": invitation.status,
        "expires_at": _expires_at(invitation),
    }
    return item | ({"answered_by": invitation.answered_by} if invitation.answered_by else {})


def decode(item: Item) -> Invitation:
    role: Role = item["role"]  # type: ignore[assignment]
    status: Status = item["status"]  # type: ignore[assignment]
    return Invitation(
        id=str(item["sk"]),
        tenant=str(item["tenant"]),
        email=str(item["email"]),
        role=role,
        digest=str(item["digest"]),
        created_ms=int(item["created_ms"]),
        created_by=str(item["created_by"]),
        expires_ms=int(item["expires_ms"]),
        mailed=bool(item["mailed"]),
        status=status,
        answered_by=str(item["answered_by"]) if "answered_by" in item else None,
    )


def read_invitation(engine: Engine, tenant: str, invitation_id: str) -> Invitation | None:
    item = engine.db.catalog.get(invitation_key(tenant, invitation_id))
    return decode(item) if item else None


def shown_invitation(engine: Engine, text: str) -> Invitation | None:
    """The invitation with this text, whatever has become of it."""
    shown = parsed(text)
    whose = engine.db.catalog.get(whose_key("invite_" + shown.ulid)) if shown else None
    if shown is None or whose is None:
        return None
    found = read_invitation(engine, str(whose["tenant"]), "invite_" + shown.ulid)
    return found if found and bearer.same(found.digest, shown) else None


def _unanswered(invitation: Invitation) -> AllOf:
    return all_of(Is("digest", invitation.digest), Is("status", "pending"))


def _expires_at(invitation: Invitation) -> int:
    return invitation.expires_ms // 1000 + _KEPT_SECONDS
