"""Keys, members, invitations and tenants with DynamoDB's own conditions and transactions, which moto judges."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.engine.core import Engine
from chalicelib.identity.access import authenticate
from chalicelib.identity.keys import MAX_KEYS, count_key
from chalicelib.ports.table import Put
from tests.support.api import ApiClient
from tests.support.callers import Caller
from tests.support.signed_in import bearer, joined, signed_in, user_named

ACME = "tenant_" + "0" * 26


@pytest.fixture
def api(engine: Engine) -> ApiClient:
    return ApiClient(replace(engine, mailer=None), authenticate)


@pytest.fixture
def owner(engine: Engine, api: ApiClient) -> Caller:
    given = signed_in(engine, "owner", ACME)
    return Caller(api, bearer(given), given.user.id)


def statuses(*answers: Any) -> list[int]:
    return [each.status for each in answers]


def test_a_key_is_made_used_rotated_and_taken_back(owner: Caller) -> None:
    made = owner.make(role="editor")
    path, first = f"/api-keys/{made['id']}", owner.with_key(made["api_key"])
    rotated = owner("POST", f"{path}/rotate", {"overlap_seconds": 60}, idempotency_key="r")
    again = owner("POST", f"{path}/rotate", {"overlap_seconds": 60}, idempotency_key="r")
    assert (rotated.status, again.status, again.json["code"]) == (200, 409, "shown_once")
    second = owner.with_key(rotated.json["api_key"])
    assert statuses(*(each("GET", "/jobs") for each in (first, second))) == [200, 200]
    assert owner("PATCH", path, {"name": "other"}, if_match='"2"').json["revision"] == 3
    shown = owner("GET", "/api-keys").json["items"]
    assert [(each["name"], each["last_used_at"]) for each in shown] == [("other", "2027-01-15T12:00:00Z")]
    assert statuses(owner("DELETE", path), first("GET", "/jobs"), second("GET", "/jobs")) == [204, 401, 401]


def test_the_number_of_keys_is_exact(owner: Caller, engine: Engine) -> None:
    pk, sk = count_key(ACME)
    engine.db.catalog.write(Put({"pk": pk, "sk": sk, "count": MAX_KEYS - 1}))
    answers = [owner("POST", "/api-keys", {"name": f"key {number}"}) for number in range(2)]
    assert statuses(*answers) == [201, 409]


def test_the_last_owner_stays(owner: Caller, engine: Engine) -> None:
    place = f"/tenant/members/{owner.user}"
    assert owner("PATCH", place, {"role": "admin"}).json["code"] == "last_owner"
    second = joined(engine, user_named(engine, "grace@example.com"), "owner", ACME).user
    assert owner("PATCH", f"/tenant/members/{second}", {"role": "viewer"}).json["role"] == "viewer"
    assert owner("POST", "/tenant/leave").json["code"] == "last_owner"
    assert owner("PATCH", f"/tenant/members/{second}", {"role": "owner"}).status == 200
    assert statuses(owner("POST", "/tenant/leave"), owner("GET", "/jobs")) == [204, 401]


def test_an_invitation_is_answered_once(owner: Caller, api: ApiClient, engine: Engine) -> None:
    made = owner("POST", "/tenant/invitations", {"email": "grace@example.com", "role": "editor"}).json
    given = signed_in(engine, "viewer", "elsewhere", "grace@example.com")
    grace, token = Caller(api, bearer(given), given.user.id), {"token": made["token"]}
    answers = [grace("POST", f"/invitations/{each}", token) for each in ("accept", "accept", "decline")]
    assert statuses(*answers) == [200, 200, 410]
    assert {each["id"]: each["role"] for each in grace("GET", "/tenants").json["items"]}[ACME] == "editor"
    assert [each["status"] for each in owner("GET", "/tenant/invitations").json["items"]] == ["accepted"]


def test_a_tenant_is_founded_and_another_one_ends(owner: Caller) -> None:
    key = owner.with_key(owner.make(role="service")["api_key"])
    founded = owner("POST", "/tenants", {"name": "Moon Works"}).json["id"]
    job = owner("POST", "/jobs", {"name": "j", "type": "dummy"}).json["id"]
    owner("POST", "/calendars", {"name": "days"})
    goodbye = {"name": ACME.capitalize()}
    assert owner("DELETE", "/tenant", goodbye).status == 409
    owner("DELETE", f"/jobs/{job}")
    assert owner("DELETE", "/tenant", goodbye).status == 204
    assert statuses(owner("GET", "/tenant"), key("GET", "/tenant")) == [401, 401]
    assert founded.startswith("tenant_")
