"""Databases in whose transactions something goes wrong: somebody else comes first, or the answer is lost."""

from collections.abc import Callable, Iterable
from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.ports.table import Check, TableName, Write
from tests.support.memory import MemoryDatabase
from tests.support.world import WatchedRuns, World


class Interfered(MemoryDatabase):
    """Does something else just before a transaction, `times` times; loses the answers of the next `lost` ones.

    Those of the audit trail, which come after each change, are left in peace.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], Any] = lambda: None
        self.times = 0
        self.lost = 0

    def transact(self, *writes: tuple[TableName, Write]) -> None:
        if is_of_the_trail(writes):
            super().transact(*writes)
            return
        if self.times:
            self.times -= 1
            interfere, self.before = self.before, lambda: None
            try:
                interfere()
            finally:
                self.before = interfere
        super().transact(*writes)
        if self.lost:
            self.lost -= 1
            raise Unavailable("DynamoDB did not answer.")


def is_of_the_trail(writes: Iterable[tuple[TableName, Write | Check]]) -> bool:
    """Whether a transaction seals an entry."""
    return any(name == "audit" for name, _ in writes)


def interfered(world: World) -> Interfered:
    """The world's database, from now on such a one."""
    db = Interfered()
    db.runs = WatchedRuns()
    world.db = db
    object.__setattr__(world.engine, "db", db)
    return db
