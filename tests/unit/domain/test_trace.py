"""The W3C's traceparent: what is taken from a request, and what attempts send."""

import pytest

from chalicelib.domain.trace import parent_of, trace_id, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("header", "taken", "why"),
    [
        (PARENT, PARENT, "as it is"),
        (f" {PARENT}\t", PARENT, "white space around a header's value means nothing"),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00", "a trace that is not sampled stays so"),
        (f"00-{TRACE}-{SPAN}-ff", PARENT, "only the flag that this version knows"),
        (f"01-{TRACE}-{SPAN}-01-more", PARENT, "a later version may have more behind it"),
        (f"00-{TRACE}-{SPAN}-01-more", None, "this version may not"),
        (f"ff-{TRACE}-{SPAN}-01", None, "a version that is forbidden"),
        (f"00-{'0' * 32}-{SPAN}-01", None, "no trace"),
        (f"00-{TRACE}-{'0' * 16}-01", None, "no span"),
        (PARENT.upper(), None, "upper case is not allowed"),
        ("", None, "empty"),
        (None, None, "none came"),
        ("x" * 10_000, None, "nonsense"),
    ],
)
def test_a_header_counts_if_the_standard_says_so(header: str | None, taken: str | None, why: str) -> None:
    assert parent_of(header) == taken, why


def test_attempts_are_spans_of_the_callers_trace() -> None:
    first, second = traceparent("run_1", 1, PARENT), traceparent("run_1", 2, PARENT)
    assert first.split("-")[1] == second.split("-")[1] == trace_id("run_1", PARENT) == TRACE
    assert first.split("-")[2] not in (SPAN, second.split("-")[2])
    assert traceparent("run_1", 1, f"00-{TRACE}-{SPAN}-00").endswith("-00")


def test_a_run_that_nobody_asked_for_has_a_trace_of_its_own() -> None:
    assert trace_id("run_1", None) != trace_id("run_2", None)
    assert traceparent("run_1", 1).split("-")[1] == trace_id("run_1", None)
