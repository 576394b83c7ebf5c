"""Which jobs a filter means: in parameters of the list, and in bodies."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.api import ApiClient
from tests.support.world import World

MANUAL = {"schedule": {"kind": "manual"}}
JOBS: list[dict[str, Any]] = [
    {"name": "Nightly", "tags": {"team": "data", "a=b": "c=d"}, "description": "The big REPORT"},
    {"name": "hourly", "tags": {"team": "web"}},
    {"name": "idle", "type": "dummy", "config": {}},
]


@pytest.fixture(scope="module")
def api() -> ApiClient:
    client = ApiClient(World().engine)
    for job in JOBS:
        client.create(**MANUAL, **job)
    client.post(f"/jobs/{client.get('/jobs?name=idle').json['items'][0]['id']}/pause")
    return client


@pytest.mark.parametrize(
    ("query", "names", "why"),
    [
        ({}, ["idle", "hourly", "Nightly"], "the newest first"),
        ({"sort": "created_at"}, ["Nightly", "hourly", "idle"], "the oldest first"),
        ({"name": "NIGHTLY"}, ["Nightly"], "whatever the case"),
        ({"name": "night"}, [], "a name is whole"),
        ({"text": "report"}, ["Nightly"], "in the description"),
        ({"text": "LY"}, ["hourly", "Nightly"], "in the name"),
        ({"text": "team=w"}, ["hourly"], "in a tag"),
        ({"tags": "team"}, ["hourly", "Nightly"], "a tag, whatever its value"),
        ({"tags": "team=data"}, ["Nightly"], "a tag with its value"),
        ({"tags": "a=b=c=d,team"}, ["Nightly"], "all of them, and keys may hold the sign"),
        ({"tags": "team=data,x"}, [], "one is missing"),
        ({"type": "dummy", "status": "paused"}, ["idle"], "type and status"),
        ({"type": "dummy", "status": "active"}, [], "both have to hold"),
        ({"owner": "key_of_a_test"}, ["idle", "hourly", "Nightly"], "who created it"),
        ({"owner": "ada"}, [], "somebody else"),
    ],
)
def test_the_list_has_those_for_which_all_filters_hold(
    api: ApiClient, query: dict[str, str], names: list[str], why: str
) -> None:
    found = api.get(f"/jobs?{urlencode(query)}").json["items"]
    assert [job["name"] for job in found] == names, why


def test_the_oldest_first_goes_on_page_by_page(api: ApiClient) -> None:
    names, cursor = [], ""
    while True:
        page = api.get(f"/jobs?sort=created_at&limit=1{cursor}").json
        names += [job["name"] for job in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == ["Nightly", "hourly", "idle"]


def test_a_cursor_of_one_order_is_none_of_the_other(api: ApiClient) -> None:
    cursor = api.get("/jobs?sort=created_at&limit=1").json["next_cursor"]
    assert api.get(f"/jobs?cursor={cursor}").pointers == {"/query/cursor": "bad_cursor"}


@pytest.mark.parametrize("query", ["sort=name", "name=", "text=", "tags=", f"text={'x' * 129}"])
def test_a_filter_that_means_nothing_is_refused(api: ApiClient, query: str) -> None:
    assert api.get(f"/jobs?{query}").status == 422
