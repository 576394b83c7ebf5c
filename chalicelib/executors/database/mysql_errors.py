"""What the errors of MySQL and MariaDB mean: by their numbers, as the manuals list them."""

from typing import Any

from pymysql import Error

from chalicelib.domain.retry import ErrorKind
from chalicelib.executors.database.session import SqlFailure, without_values

_KINDS: dict[ErrorKind, frozenset[int]] = {
    "authentication": frozenset((1045, 1130, 1044, 1049, 1251, 1275, 1698, 1820, 1862, 3118, 3955, 4151)),
    "database_conflict": frozenset((1020, 1205, 1213, 3101, 3572, 3058, 3132)),
    "timeout": frozenset((1317, 1969, 3024)),
    "connection": frozenset(
        (1040, 1042, 1043, 1053, 1077, 1129, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1927)
    ),
}
_PASSING = frozenset((1021, 1030, 1037, 1038, 1041, 1105, 1114, 1180, 1290, 1412, 1615, 1836, 3100, 3170))
"""Full disks, too little memory, a server that is read-only for now: another try may help."""
_CLIENTS_OWN = range(2000, 3000)


def failure_of(error: Error | OSError, values: list[Any]) -> SqlFailure:
    """A statement's failure, or one to connect."""
    number, said = _told(error)
    if number is None or number in _CLIENTS_OWN:
        return SqlFailure(
            "connection", f"The connection with MySQL was lost, or never made: {_reason(error)}"
        )
    state = getattr(error, "sqlstate", None) or "HY000"
    kind: ErrorKind = next((kind for kind, numbers in _KINDS.items() if number in numbers), "database")
    message = (
        f"MySQL refused the statement (error {number}, SQLSTATE {state}): {without_values(said, values)}"
    )
    lasting = kind == "database" and number not in _PASSING and not state.startswith("45")
    return SqlFailure(kind, message, code=state, retryable=False if lasting else None)


def _told(error: Error | OSError) -> tuple[int | None, str]:
    if isinstance(error, Error) and len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1])
    return None, ""


def _reason(error: Error | OSError) -> str:
    """The first cause that has words."""
    cause = getattr(error, "original_exception", None) or error.__context__ or error
    return " ".join(str(cause).split())
