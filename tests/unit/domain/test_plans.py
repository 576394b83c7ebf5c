"""Plans: one table, the calendar month, and what a plan does not have."""

from datetime import datetime

import pytest

from chalicelib.domain.errors import FeatureNotInPlan
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.plans import PLANS, Feature, Plan, month_of, require

TABLE: list[tuple[Plan, int | None, int | None, int, set[str]]] = [
    ("free", 10, 1_000, 1, set()),
    ("starter", 100, 50_000, 7, {"webhooks"}),
    ("pro", 1_000, 500_000, 30, {"webhooks", "federation"}),
    ("enterprise", None, None, 90, {"webhooks", "federation", "sso", "sla"}),
]


@pytest.mark.parametrize(("plan", "jobs", "executions", "days", "features"), TABLE)
def test_a_plan_allows_what_was_offered(
    plan: Plan, jobs: int | None, executions: int | None, days: int, features: set[str]
) -> None:
    terms = PLANS[plan]
    assert (terms.jobs, terms.executions, terms.retention.runs) == (jobs, executions, days)
    assert terms.features == features


def test_the_table_of_the_tests_has_every_plan() -> None:
    assert [row[0] for row in TABLE] == list(PLANS)


@pytest.mark.parametrize(
    ("moment", "name", "start", "end"),
    [
        ("2027-01-31T23:59:59.999Z", "2027-01", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"),
        ("2027-02-01T00:00:00Z", "2027-02", "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z"),
        ("2027-12-31T12:00:00Z", "2027-12", "2027-12-01T00:00:00Z", "2028-01-01T00:00:00Z"),
    ],
)
def test_a_month_is_a_calendar_month_in_utc(moment: str, name: str, start: str, end: str) -> None:
    month = month_of(epoch_ms(datetime.fromisoformat(moment)))
    assert (month.name, rfc3339(month.start_ms), rfc3339(month.end_ms)) == (name, start, end)


def test_what_a_plan_does_not_have_is_refused_with_the_plan_that_has_it() -> None:
    with pytest.raises(FeatureNotInPlan, match="The plan pro does not have sso; enterprise is the first"):
        require("pro", "sso")


@pytest.mark.parametrize(
    ("plan", "feature"), [("enterprise", "sso"), ("starter", "webhooks"), (None, "federation")]
)
def test_what_a_plan_has_is_let_through(plan: Plan | None, feature: Feature) -> None:
    require(plan, feature)
