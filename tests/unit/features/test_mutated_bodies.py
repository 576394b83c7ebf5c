"""Valid bodies, damaged at random in every place: the answer is one that the description knows, and never a 5xx."""

import random
from typing import Any

import pytest

from tests.support.api import Answer, ApiClient
from tests.support.world import World

ROUNDS = 40
JOB: dict[str, Any] = {
    "name": "nightly",
    "description": "what it is for",
    "type": "http",
    "config": {
        "url": "https://example.com/a",
        "method": "POST",
        "headers": {"X-Team": "billing"},
        "body": {"report": 1},
        "query": {"q": ["1", 2, True]},
    },
    "schedule": {
        "kind": "cron",
        "expression": "0 30 2 * * *",
        "timezone": "Europe/Berlin",
        "start_at": "2026-01-01T00:00:00Z",
        "end_at": "2030-01-01T00:00:00Z",
        "max_runs": 3,
        "jitter_seconds": 5,
    },
    "retry": {"max_attempts": 3, "strategy": "exponential", "retry_on": ["timeout", 503], "give_up_on": []},
    "timeout_seconds": 30,
    "concurrency": {"policy": "queue", "limit": 2, "buffer": 3},
    "misfire": {"policy": "fire_all", "grace_seconds": 60, "window_seconds": 5, "limit": 3},
    "tags": {"team": "billing"},
}
SCHEDULES: list[Any] = [
    JOB["schedule"],
    {"kind": "interval", "every": "PT5M", "anchor": "2026-01-01T00:00:00Z"},
    {"kind": "once", "at": "2026-01-01T00:00:00+02:00"},
    {"kind": "manual"},
    "H H(0-5) * * MON-FRI",
]
JUNK: list[Any] = [
    *(None, True, False, 0, -1, 2**31, 2**53, 2**63, -(2**63), 1e308, 1e-308, 0.1, [], {}, [[]], {"": ""}),
    *(
        "",
        " ",
        "\x00",
        "é",
        "\N{COLLISION SYMBOL}" * 50,
        "a" * 3000,
        "\u0663 * * * *",
        "1," * 500 + "1 * * * *",
    ),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+23:59"),
    *("PT0S", "P999999999D", "-PT5M", "* * * * * * *", "60 * * * *", "0 0 31 2 *", "*/0 * * * *", "H(", "1-"),
    *("Europe/Nowhere", "../../etc/passwd", "http://[::1", "http://\u2028", "ftp://x", "https://user:p@x"),
]
NAMES = ["x", "", "id", "tenant", "__proto__", "status", "kind", "schedule", "api"]


def damaged(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if chance.random() > 0.05}
        result = {name: damaged(one, chance) if chance.random() < 0.35 else one for name, one in kept.items()}
        return {**result, **({chance.choice(NAMES): chance.choice(JUNK)} if chance.random() < 0.06 else {})}
    if isinstance(value, list):
        return [damaged(one, chance) for one in value] * chance.choice([1, 1, 1, 2, 50])
    return chance.choice(JUNK) if chance.random() < 0.5 else value


@pytest.mark.parametrize("seed", range(4))
def test_no_damage_to_a_body_breaks_the_api(seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    api = ApiClient(world.engine)
    job_id = api.create()["id"]
    answers: list[Answer] = []
    for _ in range(ROUNDS):
        body = damaged({**JOB, "schedule": chance.choice(SCHEDULES)}, chance)
        preview = {"schedule": body["schedule"]} if isinstance(body, dict) and "schedule" in body else body
        answers += [
            api.post("/jobs", body=body),
            api("PUT", f"/jobs/{job_id}", body=body),
            api("PATCH", f"/jobs/{job_id}", body=damaged(JOB, chance)),
            api.post("/schedules/preview", body=preview),
        ]
    world.advance(60)
    assert [answer.text for answer in answers if answer.status >= 500] == []
    assert {answer.status for answer in answers} >= {200, 201, 400, 422}, (
        "both kinds of bodies were among them"
    )
