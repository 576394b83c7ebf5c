"""Calendars in the catalog: each change holds at once, and gives the jobs that use the calendar new timers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.calendars import CalendarContent, CalendarDefinition
from chalicelib.domain.errors import Conflict, NotFound, Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.calendars import calendar_key, calendars_of, uses_of
from chalicelib.features.conditional import require_match
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.timing import RETIRED
from chalicelib.ports.table import Absent, ConditionFailed, Delete, Is, Item, Put, TableName, Update, Write

TRIES = 5
REARM_SECONDS = 20
"""How long one request arms jobs; then its caller is asked to repeat it, and it goes on where it was."""
_CHUNK = 100
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Calendar:
    """A stored calendar. `armed`: the jobs that use it were armed by this revision, all of them."""

    name: str
    content: CalendarContent
    revision: int
    armed: int
    created_ms: int
    updated_ms: int


Change = Callable[[CalendarContent], CalendarContent]


def create(
    engine: Engine, tenant: str, definition: CalendarDefinition, key: IdempotencyKey | None = None
) -> Calendar:
    """A new calendar, or the one that this key has created before. Conflict if the name is taken."""

    def make(note: Note) -> Calendar:
        now_ms = engine.clock.now_ms()
        content = CalendarContent.model_construct(
            **{name: getattr(definition, name) for name in CalendarContent.model_fields}
        )
        calendar = Calendar(definition.name, content, 1, 1, now_ms, now_ms)
        new: tuple[TableName, Write] = ("catalog", Put(_encoded(tenant, calendar), Absent()))
        try:
            engine.db.transact(new, *note(calendar.name))
        except ConditionFailed:
            raise Conflict(f"There is a calendar {definition.name!r} already.") from None
        engine.witness.changed("calendar", calendar.name, None, _shown(calendar))
        return calendar

    return once(engine, tenant, key, make, lambda name: read(engine, tenant, name))


def read(engine: Engine, tenant: str, name: str) -> Calendar:
    """NotFound if there is none."""
    item = engine.db.catalog.get(calendar_key(tenant, name)) if _is_name(name) else None
    if item is None:
        raise NotFound("There is no such calendar.")
    return _decoded(item)


def listed(
    engine: Engine, tenant: str, *, limit: int, after: str | None
) -> tuple[list[Calendar], str | None]:
    """By name; the last name if more may follow."""
    page = engine.db.catalog.query(calendars_of(tenant), limit=limit, after=after)
    return [_decoded(item) for item in page.items], page.next


def change(engine: Engine, tenant: str, name: str, if_match: str | None, decide: Change) -> Calendar:
    """The calendar after the change, when the jobs that use it are armed by it. PreconditionFailed, NotFound.

    Unavailable if there was not the time for all of them: then the same request goes on.
    """
    for _ in range(TRIES):
        before = read(engine, tenant, name)
        require_match(if_match, before.revision)
        content, now_ms = decide(before.content), engine.clock.now_ms()
        if content == before.content and before.armed == before.revision:
            return before
        after = before
        if content != before.content:
            after = Calendar(name, content, before.revision + 1, before.armed, before.created_ms, now_ms)
            try:
                engine.db.catalog.write(Put(_encoded(tenant, after), Is("revision", before.revision)))
            except ConditionFailed:
                continue
            engine.witness.changed("calendar", name, _shown(before), _shown(after))
        return _armed(engine, tenant, after)
    raise Conflict("Others keep changing this calendar; try again.")


def delete(engine: Engine, tenant: str, name: str, if_match: str | None) -> None:
    """Conflict, naming jobs, while any use it.

    Before the last look it is marked, so that no job can begin to use it between that look and the end. Each write is a
    transaction of one: it carries a token, so that sending it again after a lost answer is not refused.
    """
    calendar = read(engine, tenant, name)
    require_match(if_match, calendar.revision)
    _check_unused(engine, tenant, name)
    key, marked = calendar_key(tenant, name), calendar.revision + 1
    mark: Item = {RETIRED: 1, "revision": marked, "armed": marked}
    try:
        engine.db.transact(("catalog", Update(key, mark, when=Is("revision", calendar.revision))))
        try:
            _check_unused(engine, tenant, name)
        except Conflict:
            engine.db.catalog.write(
                Update(key, {"revision": marked + 1}, remove=(RETIRED,), when=Is("revision", marked))
            )
            raise
        engine.db.transact(("catalog", Delete(key, Is("revision", marked))))
    except ConditionFailed:
        raise Conflict("Others are changing this calendar; try again.") from None
    engine.witness.changed("calendar", name, _shown(calendar), None)


def _check_unused(engine: Engine, tenant: str, name: str) -> None:
    page = engine.db.catalog.query(uses_of(tenant, name), limit=_NAMED)
    if page.items:
        named = ", ".join(str(item["sk"]) for item in page.items)
        more = " and others" if page.next else ""
        raise Conflict(f"Jobs use this calendar: {named}{more}.")


def _armed(engine: Engine, tenant: str, calendar: Calendar) -> Calendar:
    """The calendar, when every job that uses it is armed by this revision."""
    deadline, after = engine.clock.monotonic() + REARM_SECONDS, None
    while True:
        page = engine.db.catalog.query(uses_of(tenant, calendar.name), limit=_CHUNK, after=after)
        for item in page.items:
            if engine.clock.monotonic() >= deadline:
                raise Unavailable(
                    "The calendar is saved, but not every job is armed by it yet: repeat the request."
                )
            if int(item.get("armed", 0)) < calendar.revision:
                _rearm(engine, tenant, item)
        after = page.next
        if after is None:
            break
    key = calendar_key(tenant, calendar.name)
    try:
        engine.db.catalog.write(
            Update(key, {"armed": calendar.revision}, when=Is("revision", calendar.revision))
        )
    except ConditionFailed:
        return calendar
    return calendar


def _rearm(engine: Engine, tenant: str, use: Item) -> None:
    try:
        jobs.rearm(engine, tenant, str(use["sk"]), actor=f"calendar {str(use['pk']).rpartition('#')[2]}")
    except NotFound:
        engine.db.catalog.write(Delete((str(use["pk"]), str(use["sk"]))))


def _encoded(tenant: str, calendar: Calendar) -> Item:
    pk, sk = calendar_key(tenant, calendar.name)
    return {
        "pk": pk,
        "sk": sk,
        "revision": calendar.revision,
        "armed": calendar.armed,
        "created_ms": calendar.created_ms,
        "updated_ms": calendar.updated_ms,
        "doc": calendar.content.model_dump_json(exclude_none=True),
    }


def _decoded(item: Item) -> Calendar:
    return Calendar(
        str(item["sk"]),
        CalendarContent.model_validate_json(str(item["doc"])),
        int(item["revision"]),
        int(item["armed"]),
        int(item["created_ms"]),
        int(item["updated_ms"]),
    )


def _shown(calendar: Calendar) -> dict[str, Any]:
    """As a person sees it."""
    return calendar.content.model_dump(mode="json", exclude_none=True)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 64 and name.isascii() and name.isprintable() and "/" not in name
