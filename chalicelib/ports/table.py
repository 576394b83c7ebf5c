"""Tables of items: conditional writes, queries by sort key, transactions. Conditions are data: a twin judges them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Item = dict[str, str | int | bytes]
"""Attributes by name. `pk` and `sk` are strings and make the key."""
Key = tuple[str, str]
TableName = Literal["catalog", "timers", "runs", "audit"]


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no item at the key."""


@dataclass(frozen=True, slots=True)
class Is:
    """The item's attribute equals the value; False where it has none."""

    name: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Below:
    """The item's attribute is smaller than the value; False where it has none."""

    name: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Lacks:
    """The item has no such attribute; True also where there is no item."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Condition", ...]


Condition = Absent | Is | Below | Lacks | AnyOf | AllOf


def any_of(*parts: Condition) -> AnyOf:
    return AnyOf(parts)


def all_of(*parts: Condition) -> AllOf:
    return AllOf(parts)


PRESENT = Below("pk", "\U0010ffff")
"""There is an item at the key: every key is below the last code point."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write the whole item."""

    item: Item
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Set, add to and remove attributes; the item comes into being if it is absent."""

    key: Key
    set: Item = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the item; an absent one is no error."""

    key: Key
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing: a transaction's other writes need this to be true."""

    key: Key
    when: Condition


Write = Put | Update | Delete


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a query's answer. `next` (a sort key) continues it, None where it ended."""

    items: list[Item]
    next: str | None = None


class ConditionFailed(Exception):
    """A conditional write was refused. `existing` is the item as it stood then, if there was one and it is known.

    What refused it may be the very same write: one whose answer was lost is sent again below this seam. Who must know
    looks into `existing`, or reads back, for something that only this write can have left (an owner token).
    """

    def __init__(self, existing: Item | None = None) -> None:
        super().__init__("the condition of a write does not hold")
        self.existing = existing


class Table(Protocol):
    """One table. All but queries of an index are strongly consistent.

    Any call may raise Unavailable: then nobody knows whether it took effect, or which part of it.
    """

    def get(self, key: Key) -> Item | None:
        """The item at the key."""
        ...

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """The items that exist among the keys, 100 a call."""
        ...

    def query(
        self,
        pk: str,
        *,
        low: str = "",
        high: str = "",
        limit: int = 1000,
        backwards: bool = False,
        after: str | None = None,
    ) -> Page:
        """Items of a partition with low <= sk < high (empty: no bound), at most `limit`, past the sort key `after`."""
        ...

    def query_index(
        self, index: str, value: str, *, limit: int, backwards: bool = False, after: Item | None = None
    ) -> tuple[list[Key], Item | None]:
        """Keys of the items whose index partition has the value, in index order, and where to go on (opaque).

        Eventually consistent: it serves lists, and nothing is decided from it.
        """
        ...

    def index_rows(
        self, index: str, value: str, *, limit: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        """As query_index, ascending, but all that the index holds of the items: their keys and its own."""
        ...

    def write(self, write: Write) -> Item:
        """Carry out one write; the item as it is afterwards (empty for a delete). ConditionFailed if refused."""
        ...

    def write_each(self, writes: Sequence[Write]) -> list[bool]:
        """Carry out writes to different keys, each for itself, many a call: whether each one's condition held.

        False may come from the very same write, as ConditionFailed says.
        Each is a Put when Absent, or an Update that needs an existing item, without `add` and `Lacks`.
        """
        ...

    def put_all(self, items: Iterable[Item]) -> None:
        """Put items without a condition, 25 a call; refused parts are sent again. Unavailable if some stay refused."""
        ...

    def delete_all(self, keys: Iterable[Key]) -> None:
        """Delete items without a condition, 25 a call; as put_all."""
        ...


class Database(Protocol):
    """The four tables, and writes that hold together."""

    @property
    def catalog(self) -> Table: ...
    @property
    def timers(self) -> Table: ...
    @property
    def runs(self) -> Table: ...
    @property
    def audit(self) -> Table: ...

    def transact(self, *writes: tuple[TableName, Write | Check]) -> None:
        """All of the writes or none (at most 100), if all checks hold too.

        ConditionFailed, with the item of the first that is refused.
        """
        ...
