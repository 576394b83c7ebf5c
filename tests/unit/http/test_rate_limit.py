"""Rate limits: a bucket a key, filled by time alone; what clients are told of it."""

from itertools import count

from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.http.pipeline import Incoming, Pipeline, Services
from chalicelib.http.rate_limit import MAX_KEYS, Buckets, Policy
from chalicelib.http.table import RouteTable
from tests.support.principals import everybody
from tests.support.world import World

SMALL = Policy(burst=3, per_second=0.5)


def test_a_burst_goes_through_and_the_next_one_waits_for_time() -> None:
    buckets = Buckets(SMALL)
    assert [buckets.take("a", 0.0).allowed for _ in range(4)] == [True, True, True, False]
    assert not buckets.take("a", 1.9).allowed
    assert buckets.take("a", 2.0).allowed
    assert not buckets.take("a", 2.0).allowed


def test_a_bucket_is_never_more_than_full() -> None:
    buckets = Buckets(SMALL)
    assert buckets.take("a", 1e9).remaining == 2
    assert [buckets.take("a", 2e9).allowed for _ in range(4)] == [True, True, True, False]


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    buckets = Buckets(SMALL)
    buckets.take("a", 100.0)
    assert buckets.take("a", 50.0).remaining == 1


def test_one_keys_haste_is_not_anothers() -> None:
    buckets = Buckets(SMALL)
    while buckets.take("a", 0.0).allowed:
        pass
    assert buckets.take("b", 0.0).allowed


def test_of_very_many_keys_the_oldest_is_forgotten() -> None:
    buckets = Buckets(Policy(burst=1, per_second=0.001))
    for number in range(MAX_KEYS + 1):
        buckets.take(str(number), 0.0)
    assert buckets.take("0", 0.0).allowed
    assert not buckets.take(str(MAX_KEYS), 0.0).allowed


def ask(policy: Policy, requests: int, *, public: bool = False) -> list[Response]:
    def nothing(_engine: Engine, _request: Request) -> Response:
        return Response("{}")

    answers = (Answer(description=""),)
    asked = Route(
        method="GET",
        path="/x",
        handler=nothing,
        summary="",
        tag="",
        rule="jobs:read",
        answers=answers,
        public=public,
    )
    services, number = Services(World().engine, everybody, buckets=Buckets(policy)), count()
    pipeline = Pipeline(RouteTable.of([asked]), lambda: services)
    return [pipeline.answer(Incoming("GET", "/x", f"id-{next(number)}")) for _ in range(requests)]


def test_an_answer_tells_what_is_left() -> None:
    (answer,) = ask(SMALL, 1)
    assert (answer.headers["RateLimit-Policy"], answer.headers["RateLimit"]) == (
        '"default";q=3;w=6',
        '"default";r=2;t=2',
    )
    assert "Retry-After" not in answer.headers


def test_what_is_too_much_is_a_429_that_says_when_to_come_again() -> None:
    *_, refused = ask(SMALL, 4)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
    assert refused.headers["RateLimit"] == '"default";r=0;t=6'
    assert "too_many_requests" in str(refused.body)


def test_public_routes_are_not_counted() -> None:
    answers = ask(SMALL, 9, public=True)
    assert {answer.status for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers
