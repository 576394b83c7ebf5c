"""Users: people with an address and a password, or known to a provider. They belong to tenants as members."""

from dataclasses import dataclass

from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item, Key


@dataclass(frozen=True, slots=True)
class User:
    """`email` is as it was given; two users never share one, whatever the case. `password`: argon2id, as PHC has it.

    Without a password a user signs in by a provider. `verified`: the address was shown to be theirs.
    """

    id: str
    email: str
    name: str
    created_ms: int
    password: str | None = None
    verified: bool = False
    revision: int = 1


def user_key(user_id: str) -> Key:
    return f"user#{user_id}", "user"


def email_key(email: str) -> Key:
    """Where the id of the user with an address is found."""
    return f"email#{normalised(email)}", "email"


def normalised(email: str) -> str:
    """One spelling for each address: mail servers tell no cases apart in practice."""
    return email.strip().casefold()


def encode_user(user: User) -> Item:
    pk, sk = user_key(user.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "created_ms": user.created_ms,
        "verified": int(user.verified),
        "revision": user.revision,
    }
    return item if user.password is None else {**item, "password": user.password}


def decode_user(item: Item) -> User:
    return User(
        id=str(item["id"]),
        email=str(item["email"]),
        name=str(item["name"]),
        created_ms=int(item["created_ms"]),
        password=str(item["password"]) if "password" in item else None,
        verified=bool(item["verified"]),
        revision=int(item["revision"]),
    )


def encode_email(user: User) -> Item:
    pk, sk = email_key(user.email)
    return {"pk": pk, "sk": sk, "user": user.id}


def read_user(engine: Engine, user_id: str) -> User | None:
    item = engine.db.catalog.get(user_key(user_id))
    return decode_user(item) if item else None


def user_of(engine: Engine, email: str) -> User | None:
    """The user with this address."""
    found = engine.db.catalog.get(email_key(email))
    return read_user(engine, str(found["user"])) if found else None
