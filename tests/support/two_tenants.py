"""Two tenants in one world, each with one of everything and somebody of each role, who come with real credentials."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, get_args

from chalicelib.domain.errors import NotFound
from chalicelib.domain.permissions import ACCOUNT, ROLES, Role
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.records import decode_run, encode_run, run_key
from chalicelib.features.base import Route
from chalicelib.identity.access import authenticate
from chalicelib.identity.bearer import drawn
from chalicelib.identity.keys import Wanted, creation_writes, minted
from chalicelib.ports.table import Item, Key
from tests.support.api import Answer, ApiClient
from tests.support.memory import FakeIds
from tests.support.principals import TENANT
from tests.support.signed_in import PASSWORD, bearer, joined, signed_in, user_named
from tests.support.world import World

OTHER = "elsewhere"
TABLES = ("catalog", "timers", "runs", "audit")
STRETCH = {"start": "2027-01-14T00:00:00Z", "end": "2027-01-15T00:00:00Z"}
BODIES: dict[str, Any] = {
    "POST /jobs/{job_id}/rollback": {"revision": 1},
    "POST /jobs/{job_id}/trigger": {"note": "by hand"},
    "POST /jobs/{job_id}/backfills": STRETCH,
    "POST /calendars": {"name": "another"},
    "POST /schedules/preview": {"schedule": "0 9 * * *"},
    "POST /auth/password": {"current_password": PASSWORD, "new_password": "another long sentence"},
    "DELETE /users/me": {"password": PASSWORD},
}
"""Where the first example of the route's body will not do."""


@dataclass(frozen=True)
class Side:
    """A tenant: its members' headers by their roles, and the ids of what it has, by their names in paths."""

    world: World
    api: ApiClient
    tenant: str
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    things: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What its owner is answered."""
        answer = self.api(method, path, body, headers=self.headers["owner"])
        assert answer.status < 300, (method, path, answer.text)
        return answer.json


Make = Callable[[Side], str]


def _job(side: Side) -> str:
    made = side.call(
        "POST", "/jobs", {"name": f"of {side.tenant}", "type": "dummy", "schedule": "0 9,18 * * *"}
    )
    return str(made["id"])


def _run(side: Side) -> str:
    return str(side.call("POST", f"/jobs/{side.things['job_id']}/trigger")["id"])


def _dead(side: Side) -> str:
    run_id = _run(side)
    runs = side.world.db.runs
    item = runs.get(run_key(side.tenant, run_id))
    assert item
    run: Run = replace(decode_run(item), status=RunStatus.FAILED, dead=True)
    runs.items[run_key(side.tenant, run_id)] = encode_run(run, expires_at=2_000_000_000)
    return run_id


def _backfill(side: Side) -> str:
    return str(side.call("POST", f"/jobs/{side.things['job_id']}/backfills", STRETCH)["id"])


def _calendar(side: Side) -> str:
    return str(side.call("POST", "/calendars", {"name": f"days-of-{side.tenant}"})["name"])


def _host(side: Side) -> str:
    side.call("PUT", f"/limits/targets/{side.tenant}.example", {"concurrency": 3})
    return f"{side.tenant}.example"


def _key(side: Side) -> str:
    return str(side.call("POST", "/api-keys", {"name": "a program", "role": "service"})["id"])


def _member(side: Side) -> str:
    """Another owner, so that the first may go, and somebody to be changed."""
    for role in ("owner", "viewer"):
        user = user_named(side.world.engine, f"spare-{role}@{side.tenant}.example")
        joined(side.world.engine, user, role, side.tenant)
    return user.id


def _invitation(side: Side) -> str:
    return str(side.call("POST", "/tenant/invitations", {"email": "grace@example.com"})["id"])


def _session(side: Side) -> str:
    """Another one of the owner's."""
    return signed_in(side.world.engine, "owner", side.tenant, f"owner@{side.tenant}.example").session.id


def _entry(side: Side) -> str:
    """The latest of the audit trail; the other tenant's has numbers that the own one does not reach."""
    for _ in range(20 if side.tenant == OTHER else 0):
        side.call("POST", f"/jobs/{side.things['job_id']}/pause")
    return str(side.call("GET", "/audit?limit=1")["items"][0]["seq"])


THINGS: dict[str, Make] = {
    "job_id": _job,
    "run_id": _run,
    "/dead-letters/{run_id}": _dead,
    "backfill_id": _backfill,
    "name": _calendar,
    "host": _host,
    "key_id": _key,
    "user_id": _member,
    "invitation_id": _invitation,
    "session_id": _session,
    "seq": _entry,
    "revision": lambda _side: "1",
}
"""How to make one of each, in this order: by the name of its id in paths, or by the beginning of a path."""
NO_THINGS = {"revision"}
"""Parts of another thing: they have no tenant of their own."""
_ID = re.compile(r"([a-z]+_)[0-9A-HJKMNP-TV-Z]{26}")


class SpreadIds(FakeIds):
    """No two begin with the same bytes, however long they are."""

    def random_bytes(self, count: int) -> bytes:
        return hashlib.shake_256(super().random_bytes(8)).digest(count)


class Two:
    """Both, and the way back to how it was."""

    def __init__(self) -> None:
        self.world = World()
        self.world.engine = replace(self.world.engine, ids=SpreadIds())
        self.api = ApiClient(self.world.engine, authenticate)
        self.own, self.other = (Side(self.world, self.api, tenant) for tenant in (TENANT, OTHER))
        for side in (self.own, self.other):
            for role in get_args(Role):
                side.headers[role] = self._let_in(side.tenant, role)
            for name, make in THINGS.items():
                side.things[name] = make(side)
        self._kept = {name: _copied(self._items(name)) for name in TABLES}

    def _let_in(self, tenant: str, role: Role) -> dict[str, str]:
        engine = self.world.engine
        if role != "service":
            return bearer(signed_in(engine, role, tenant, f"{role}@{tenant}.example"))
        wanted = Wanted(tenant, "a program", role, "deployment")
        key, text = minted(wanted, engine.clock.now_ms(), drawn(engine.ids))
        engine.db.transact(*creation_writes(key))
        return {"Authorization": f"Bearer {text}"}

    def _items(self, table: str) -> dict[Key, Item]:
        found: dict[Key, Item] = getattr(self.world.db, table).items
        return found

    def put_back(self) -> None:
        """All is as it was in the beginning."""
        for name, kept in self._kept.items():
            items = self._items(name)
            items.clear()
            for key, item in kept.items():
                items[key] = dict(item)

    def of_the_other(self) -> list[Item]:
        """All that belongs to the other tenant."""
        return [
            item
            for name in TABLES
            for key, item in self._items(name).items()
            if OTHER in key[0] or OTHER in str(item.get("tenant", ""))
        ]

    def ask(self, route: Route, things: Mapping[str, str], role: str | None, *, body: Any = ...) -> Answer:
        """The route's answer to somebody of the own tenant, or to nobody."""
        path = route.path
        for name, value in things.items():
            path = path.replace(f"{{{name}}}", value)
        sent = body_of(route) if body is ... else body
        content = sent.encode() if isinstance(sent, str) else sent
        media_type = route.body.media_types[0] if route.body else "application/json"
        headers = self.own.headers[role] if role else {}
        return self.api(route.method, path, content, headers=headers, media_type=media_type)


@cache
def two() -> Two:
    """Made once a process; `put_back` before each use."""
    return Two()


def _copied(items: Mapping[Key, Item]) -> dict[Key, Item]:
    return {key: dict(item) for key, item in items.items()}


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


def body_of(route: Route) -> Any:
    """A body that the route accepts, None if it takes none."""
    if label(route) in BODIES:
        return BODIES[label(route)]
    return next(iter(route.body.examples.values()), None) if route.body else None


def named_in(route: Route) -> list[str]:
    """The names of the ids in its path."""
    return re.findall(r"{(\w+)}", route.path)


def things_of(side: Side, route: Route) -> dict[str, str]:
    """Values for the path. NotFound if nobody has said how such a thing is made."""
    special = next((value for start, value in side.things.items() if route.path.startswith(start)), None)
    found: dict[str, str] = {}
    for name in named_in(route):
        value = special or side.things.get(name)
        if value is None:
            raise NotFound(
                f"{label(route)}: nobody knows how to make a thing for {{{name}}}. Add it to THINGS in "
                "tests/support/two_tenants.py, so that another tenant's can be asked for."
            )
        found[name] = value
    return found


def missing(things: Mapping[str, str]) -> dict[str, str]:
    """Ids of the same form that nothing has."""
    return {name: value if name in NO_THINGS else _unlike(value) for name, value in things.items()}


def _unlike(value: str) -> str:
    if value.isdecimal():
        return f"999{value}"
    found = _ID.fullmatch(value)
    return found[1] + "7" * 26 if found else value.replace(TENANT, "nowhere").replace(OTHER, "nowhere")


def may_by_role(role: str | None, permission: str) -> bool:
    """By the table of permissions alone."""
    if role is None:
        return False
    return permission in ROLES[role] or (permission in ACCOUNT and role != "service")  # type: ignore[index]
