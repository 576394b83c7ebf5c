"""Requests that schemathesis makes of the API's own description, and what is wrong with the answers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""No 5xx, and nothing that the document does not say. That bad requests are refused is shown elsewhere."""


class Explored:
    """What was found out: the statuses that were seen, and the failures, one a kind."""

    def __init__(self, known: Mapping[str, str], key: str) -> None:
        self.known = known
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.statuses: Counter[int] = Counter()
        self.failures: dict[tuple[str, int, str], str] = {}

    def operation(self, operation: Any, url: str, examples: int) -> None:
        """Ask for one operation so many times, the same ones each time."""

        turns = count()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            if next(turns) % 2:
                case.path_parameters.update(
                    {n: v for n, v in self.known.items() if n in case.path_parameters}
                )
            answer = case.call(base_url=url, headers=self._headers, timeout=30)
            self.statuses[answer.status_code] += 1
            try:
                case.validate_response(answer, checks=CHECKS)
            except (Failure, FailureGroup) as failure:
                kind = (operation.label, answer.status_code, type(failure).__name__)
                self.failures.setdefault(kind, f"{failure} {case.as_curl_command()[:500]}")

        ask()


def explored(
    document: dict[str, Any], url: str, known: Mapping[str, str], *, examples: int, key: str = ""
) -> Explored:
    """All operations of the document, each with so many requests, at the address; what deletes comes last.

    Every other request is for things that are there: `known` has values of path parameters.
    """
    found = Explored(known, key)
    for operation in sorted(operations(document), key=lambda each: each.method.lower() == "delete"):
        found.operation(operation, url, examples)
    return found


def operations(document: dict[str, Any]) -> Iterator[Any]:
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        yield result.ok()
