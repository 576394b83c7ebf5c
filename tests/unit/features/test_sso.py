"""Single sign-on over the twin of a provider: who gets in, as whom, and everything that is tried instead."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.domain.plans import Plan
from chalicelib.features.sso.attempts import LIFE_SECONDS, cookie_name
from chalicelib.features.sso.tickets import LIFE_SECONDS as TICKET_SECONDS
from chalicelib.identity.access import authenticate
from chalicelib.identity.accounts import keep, verify
from chalicelib.identity.members import Member, member_puts, read_member, removal_writes
from chalicelib.identity.oidc import challenge
from chalicelib.identity.sessions import sessions_of
from chalicelib.identity.tenants import Tenant, encode_tenant, ending, read_tenant
from chalicelib.identity.users import User, user_of
from chalicelib.ports.table import Put
from chalicelib.ports.web import NoAnswer, NoWeb
from tests.support.api import Answer, ApiClient
from tests.support.memory import MemoryJobSecrets
from tests.support.oidc.twin import ISSUER, ProviderTwin
from tests.support.principals import TENANT, everybody
from tests.support.signed_in import PASSWORD, joined, signed_in, user_named
from tests.support.signed_in import bearer as headers_of
from tests.support.world import PUBLIC_URL, World

ORIGIN, VERIFIER = "https://app.example.com", "v" * 43
SETTINGS: dict[str, Any] = {
    "issuer": ISSUER,
    "client_id": "chronos",
    "email_domains": ["Corp.example"],
    "default_role": "editor",
    "auto_join": True,
}
START = f"/auth/sso/{TENANT}"
EMAIL = "ada@corp.example"


class Case:
    """A tenant with single sign-on, its provider, and a browser."""

    def __init__(self) -> None:
        self.world = World()
        self.provider = ProviderTwin(self.world.clock)
        self.secrets = MemoryJobSecrets()
        settings = replace(self.world.engine.settings, origins=(ORIGIN,))
        self.engine = replace(
            self.world.engine, web=self.provider, tenant_secrets=self.secrets, settings=settings
        )
        self.admin, self.api = ApiClient(self.engine), ApiClient(self.engine, authenticate)
        self.plan("enterprise")
        self.settings()

    def plan(self, plan: Plan) -> None:
        self.engine.db.catalog.write(Put(encode_tenant(Tenant(TENANT, "Local", plan, 0))))

    def settings(self, **changed: Any) -> Answer:
        return self.admin.put("/tenant/sso", {**SETTINGS, **changed})

    def begin(self, **query: str) -> tuple[str, dict[str, str]]:
        """Where the browser is sent, and the cookie that it keeps."""
        answer = self.api.get(f"{START}?{urlencode(query)}")
        assert answer.status == 302, answer.text
        return answer.headers["Location"], {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}

    def back(self, query: dict[str, str], cookie: dict[str, str]) -> Answer:
        return self.api.get(f"{START}/callback?{urlencode(query)}", headers=cookie)

    def sign_in(self, **changed: Any) -> Answer:
        """All of it, with a person of whom this is said."""
        self.provider.person |= changed
        location, cookie = self.begin()
        return self.back(self.provider.redirect(location), cookie)

    def page(self) -> str:
        """As `sign_in`, from a page; where it is called again."""
        location, cookie = self.begin(return_to=f"{ORIGIN}/done?a=b", code_challenge=challenge(VERIFIER))
        answer = self.back(self.provider.redirect(location), cookie)
        assert answer.status == 302, answer.text
        return str(answer.headers["Location"])

    def exchange(self, code: str, verifier: str = VERIFIER) -> Answer:
        return self.api.post("/auth/sso/token", {"code": code, "code_verifier": verifier})

    def invite(self, email: str) -> str:
        """The id of an invitation as an operator, by somebody who may write one."""
        boss = signed_in(self.engine, "admin", email="boss@corp.example")
        self.plan("enterprise")
        body = {"email": email, "role": "operator"}
        made = self.api.post("/tenant/invitations", body, headers=headers_of(boss))
        assert made.status == 201, made.text
        return str(made.json["id"])

    def member(self, user: User) -> Member | None:
        return read_member(self.engine, TENANT, user.id)

    def user(self, email: str = EMAIL) -> User:
        found = user_of(self.engine, email)
        assert found is not None
        return found


@pytest.fixture
def case() -> Case:
    return Case()


def code(answer: Answer, status: int) -> str:
    assert answer.status == status, answer.text
    return str(answer.json["code"])


def bearer(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.text
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def test_a_new_person_becomes_a_user_and_a_member(case: Case) -> None:
    answer = case.sign_in()
    assert (answer.json["tenant"], answer.json["role"]) == (TENANT, "editor")
    assert answer.json["user"]["email"] == EMAIL
    assert case.api.get("/jobs", headers=bearer(answer)).status == 200
    assert not case.user().verified, "the provider's word counts for its own tenant"
    assert case.sign_in().json["user"]["id"] == answer.json["user"]["id"]


def test_the_browser_is_sent_to_the_provider_with_a_cookie_of_its_own(case: Case) -> None:
    answer = case.api.get(START)
    sent = {name: value for name, [value] in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert answer.headers["Location"].startswith(f"{ISSUER}/authorize?")
    assert (sent["client_id"], sent["redirect_uri"]) == (
        "chronos",
        f"{PUBLIC_URL}/auth/sso/{TENANT}/callback",
    )
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert cookie.startswith(cookie_name(sent["state"]))
    assert rules == [f"Path=/api/auth/sso/{TENANT}", "Max-Age=600", "HttpOnly", "SameSite=Lax", "Secure"]
    assert cookie.partition("=")[2] not in answer.headers["Location"]
    case.world.secrets.texts["public-url"] = "http://127.0.0.1:8000/api"
    assert "Secure" not in case.api.get(START).headers["Set-Cookie"], "there is no TLS on this machine"


def test_nothing_that_opens_anything_is_stored(case: Case) -> None:
    location, cookie = case.begin()
    query = case.provider.redirect(location)
    page = case.page()
    stored = str(case.world.db.catalog.items)
    ticket = parse_qs(urlsplit(page).query)["sso_code"][0]
    form = case.provider.asked[-1][1]
    secrets = (query["state"], cookie["Cookie"].partition("=")[2], ticket, form["code_verifier"])
    assert [secret for secret in secrets if secret in stored] == []


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"email_verified": False}, "email_not_verified"),
        ({"email": None}, "email_not_verified"),
        ({"email": "no address"}, "email_not_verified"),
        ({"email": "ada@corp.example.evil.example"}, "domain_not_allowed"),
        ({"email": "ada@sub.corp.example"}, "domain_not_allowed"),
        ({"email": "ada@evil.example"}, "domain_not_allowed"),
    ],
)
def test_only_verified_addresses_of_the_tenants_domains_get_in(
    case: Case, said: dict[str, Any], refused: str
) -> None:
    assert code(case.sign_in(**said), 403) == refused
    assert user_of(case.engine, str(said.get("email"))) is None


def test_who_is_no_member_stays_out_unless_people_join_by_themselves(case: Case) -> None:
    case.settings(auto_join=False)
    assert code(case.sign_in(), 403) == "not_a_member"
    assert user_of(case.engine, EMAIL) is None
    joined(case.engine, user_named(case.engine, EMAIL), "viewer")
    case.plan("enterprise")
    assert case.sign_in().json["role"] == "viewer", "as the membership says"


def test_who_was_sent_away_does_not_join_again(case: Case) -> None:
    case.sign_in()
    member = case.member(case.user())
    assert member is not None
    case.engine.db.transact(*removal_writes(member))
    assert code(case.sign_in(), 403) == "not_a_member"
    case.invite(EMAIL)
    assert case.sign_in().json["role"] == "operator", "until somebody asks them back"


@pytest.mark.parametrize("auto_join", [True, False])
def test_an_invitation_says_as_what_somebody_joins(case: Case, auto_join: bool) -> None:
    case.settings(auto_join=auto_join)
    made = case.invite(EMAIL.upper())
    assert case.sign_in(sub="8", email="other@corp.example").status == (200 if auto_join else 403)
    assert case.sign_in(sub="7", email=EMAIL).json["role"] == "operator"
    shown = case.admin.get(f"/tenant/invitations/{made}")
    assert shown.json["status"] == "accepted"


def test_an_invitation_that_is_over_lets_nobody_in(case: Case) -> None:
    case.settings(auto_join=False)
    case.invite(EMAIL)
    case.world.clock.sleep(8 * 86_400)
    assert code(case.sign_in(), 403) == "not_a_member"


def test_a_tenant_that_comes_to_its_end_takes_in_nobody(case: Case) -> None:
    tenant = read_tenant(case.engine, TENANT)
    assert tenant is not None
    case.engine.db.catalog.write(ending(tenant, case.engine.clock.now_ms()))
    assert case.sign_in().status == 409


def test_a_user_who_has_shown_their_address_keeps_all_and_is_linked(case: Case) -> None:
    before = user_named(case.engine, EMAIL)
    assert case.sign_in(email="ADA@Corp.Example").json["user"]["id"] == before.id
    assert case.user() == before


def test_whoever_registered_an_address_that_is_not_theirs_loses_it(case: Case) -> None:
    thief = user_named(case.engine, EMAIL, verified=False)
    joined(case.engine, thief, "owner", "tenant_of_the_thief")
    theirs = signed_in(case.engine, "owner", "tenant_of_the_thief", EMAIL)
    moving = keep(case.engine, "email", thief, "thief@evil.example")
    answer = case.sign_in()
    assert answer.json["user"]["id"] == thief.id
    assert case.user().password is None
    assert [each.id for each in sessions_of(case.engine, thief.id)] == [answer.json["session"]]
    with pytest.raises(Invalid):
        verify(case.engine, moving)
    stolen = {"Authorization": f"Bearer {theirs.access_token}"}
    assert case.api.get("/jobs", headers=stolen).status == 401


def test_the_link_is_by_who_it_is_at_the_provider_and_not_by_the_address(case: Case) -> None:
    first = case.sign_in().json["user"]["id"]
    assert case.sign_in(email="another.name@corp.example").json["user"]["id"] == first, (
        "the address has changed"
    )
    second = case.sign_in(sub="8", email="new@corp.example").json["user"]["id"]
    assert second != first, "somebody else"


def test_the_address_must_still_be_of_the_tenant_when_the_person_is_known(case: Case) -> None:
    case.sign_in()
    assert code(case.sign_in(email="ada@elsewhere.example"), 403) == "domain_not_allowed"


def test_a_session_opens_the_tenant_whose_provider_it_came_from_and_nothing_else(case: Case) -> None:
    user = user_named(case.engine, EMAIL)
    joined(case.engine, user, "owner", "another")
    answer = case.sign_in()
    for tenant in ("another", user.id):
        body = {"refresh_token": answer.json["refresh_token"], "tenant": tenant}
        assert case.api.post("/auth/refresh", body).status == 404
    refreshed = case.api.post("/auth/refresh", {"refresh_token": answer.json["refresh_token"]})
    assert refreshed.json["tenant"] == TENANT
    member = case.member(user)
    assert member is not None
    case.engine.db.transact(*removal_writes(member))
    assert case.api.get("/jobs", headers=bearer(refreshed)).status == 401
    over = case.api.post("/auth/refresh", {"refresh_token": refreshed.json["refresh_token"]})
    assert over.status == 401, "it does not go on elsewhere"


def test_a_session_may_not_touch_the_account(case: Case) -> None:
    headers = bearer(case.sign_in())
    principal = authenticate(case.engine, headers["Authorization"])
    assert not principal.permissions & {"account:read", "account:write"}
    assert case.api.post("/auth/logout", headers=headers).status == 204
    assert case.api.get("/jobs", headers=headers).status == 401


def test_an_owner_is_no_more_than_an_admin_here(case: Case) -> None:
    """Admins choose the provider, so that its word must not make an owner of anybody."""
    joined(case.engine, user_named(case.engine, EMAIL), "owner")
    case.plan("enterprise")
    principal = authenticate(case.engine, bearer(case.sign_in())["Authorization"])
    assert principal.role == "admin"
    assert "tenant:own" not in principal.permissions


def test_a_session_ends_after_a_day(case: Case) -> None:
    answer = case.sign_in()
    case.world.clock.sleep(86_400)
    assert case.api.post("/auth/refresh", {"refresh_token": answer.json["refresh_token"]}).status == 401


def test_a_sign_in_is_good_once(case: Case) -> None:
    location, cookie = case.begin()
    query = case.provider.redirect(location)
    assert case.back(query, cookie).status == 200
    assert code(case.back(query, cookie), 410) == "sign_in_over"


def test_a_sign_in_is_good_for_ten_minutes(case: Case) -> None:
    location, cookie = case.begin()
    case.world.clock.sleep(LIFE_SECONDS)
    assert code(case.back(case.provider.redirect(location), cookie), 410) == "sign_in_over"


def test_a_sign_in_is_of_the_browser_in_which_it_began(case: Case) -> None:
    """An attacker who has a victim open the end of the attacker's own sign-in, or steals a victim's."""
    location, cookie = case.begin()
    _, of_another = case.begin()
    query = case.provider.redirect(location)
    name, value = cookie["Cookie"].split("=")
    forged = f"{name}={of_another['Cookie'].partition('=')[2]}"
    for cookies in (
        "",
        of_another["Cookie"],
        forged,
        f"{name}=",
        f"{name}={value[:-1]}",
        f"x{name}={value}",
        ";=;",
    ):
        assert code(case.back(query, {"Cookie": cookies}), 410) == "sign_in_over"
    assert case.back(query, {"Cookie": f"a=b; {cookie['Cookie']}; c"}).status == 200, (
        "nobody else has used it up"
    )


def test_a_sign_in_is_of_its_tenant(case: Case) -> None:
    location, cookie = case.begin()
    query = urlencode(case.provider.redirect(location))
    assert case.api.get(f"/auth/sso/another/callback?{query}", headers=cookie).status == 410


def test_a_code_from_another_sign_in_does_not_fit(case: Case) -> None:
    location, cookie = case.begin()
    other, _ = case.begin()
    query = case.provider.redirect(location) | {"code": case.provider.redirect(other)["code"]}
    assert code(case.back(query, cookie), 409) == "provider_fault", "PKCE: the proof is another's"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"iss": "https://evil.example.com"}, "another issuer"),
        ({"aud": "another"}, "another client"),
        ({"exp": 1}, "is over"),
    ],
)
def test_a_token_that_proves_nothing_lets_nobody_in(case: Case, claims: dict[str, Any], reason: str) -> None:
    case.provider.claims = claims
    answer = case.sign_in()
    assert code(answer, 409) == "provider_fault"
    assert reason in answer.json["detail"]


def test_a_new_key_of_the_provider_is_fetched_when_a_token_names_it(case: Case) -> None:
    case.provider.seen_keys, case.provider.published, case.provider.key = ["one"], ["one", "two"], "two"
    assert case.sign_in().status == 200
    case.provider.key = "stolen"
    assert code(case.sign_in(), 409) == "provider_fault"


def test_an_address_may_come_from_the_userinfo_endpoint_if_it_is_the_same_person(case: Case) -> None:
    told = {"sub": "7", "email": EMAIL, "email_verified": True}
    for userinfo, status in ((told | {"sub": "8"}, 403), ({}, 403), (told, 200)):
        case.provider.userinfo = userinfo
        assert case.sign_in(email=None).status == status
    assert case.provider.asked[-1][2] == {"Authorization": "Bearer access"}


@pytest.mark.parametrize(
    ("said", "status", "refused"),
    [
        ({"error": "access_denied", "code": None}, 403, "provider_refused"),
        ({"code": None}, 409, "provider_fault"),
        ({"code": "made up"}, 409, "provider_fault"),
        ({"iss": "https://evil.example.com"}, 409, "provider_fault"),
        ({"iss": None}, 409, "provider_fault"),
    ],
)
def test_what_a_provider_may_say_instead_is_told_clearly(
    case: Case, said: dict[str, Any], status: int, refused: str
) -> None:
    location, cookie = case.begin()
    query = {**case.provider.redirect(location), **said}
    answer = case.back({name: value for name, value in query.items() if value is not None}, cookie)
    assert code(answer, status) == refused


def test_a_provider_that_does_not_answer_is_no_fault_of_ours(case: Case) -> None:
    location, cookie = case.begin()
    query = case.provider.redirect(location)
    case.provider.down = NoAnswer("id.example.com answered 502.", passing=True)
    assert code(case.back(query, cookie), 503) == "unavailable"
    assert code(case.api.get(START), 503) == "unavailable"
    case.provider.down = NoAnswer("It is at 10.0.0.1, which is private.", passing=False)
    assert code(case.api.get(START), 409) == "provider_fault"


def test_another_provider_meanwhile_does_not_end_what_began_at_the_first(case: Case) -> None:
    location, cookie = case.begin()
    query = case.provider.redirect(location)
    case.settings(client_id="another")
    assert code(case.back(query, cookie), 410) == "sign_in_over"


def test_a_page_is_told_by_a_code_that_is_good_once_for_a_minute_and_for_it_alone(case: Case) -> None:
    page = case.page()
    assert page.startswith(f"{ORIGIN}/done?a=b&sso_code=")
    ticket = page.rpartition("=")[2]
    assert code(case.exchange(ticket, "w" * 43), 410) == "sign_in_over", "somebody who has seen the address"
    assert case.exchange(ticket).json["tenant"] == TENANT
    assert code(case.exchange(ticket), 410) == "sign_in_over"
    late = case.page().rpartition("=")[2]
    case.world.clock.sleep(TICKET_SECONDS)
    assert code(case.exchange(late), 410) == "sign_in_over"


def test_a_page_learns_what_went_wrong(case: Case) -> None:
    case.provider.person["email_verified"] = False
    assert case.page() == f"{ORIGIN}/done?a=b&sso_error=email_not_verified"


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example.com/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://app.example.com:444/",
        "http://app.example.com/",
        "//app.example.com/",
        "https://app.example.com\\@evil.example/",
        "https://app.example.com/#x",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        "javascript:alert(1)//https://app.example.com",
        "/done",
        "https://[::1",
    ],
)
def test_nobody_is_sent_to_a_page_of_another_origin(case: Case, return_to: str) -> None:
    query = urlencode({"return_to": return_to, "code_challenge": challenge(VERIFIER)})
    assert case.api.get(f"{START}?{query}").pointers == {"/query/return_to": "unknown_origin"}


@pytest.mark.parametrize("given", ["return_to", "code_challenge"])
def test_a_page_comes_with_a_challenge(case: Case, given: str) -> None:
    query = {"return_to": f"{ORIGIN}/", "code_challenge": challenge(VERIFIER)}
    answer = case.api.get(f"{START}?{urlencode({given: query[given]})}")
    assert list(answer.pointers.values()) == ["required"]


def test_a_confidential_client_shows_the_secret_that_its_tenant_keeps(case: Case) -> None:
    case.settings(client_secret="${{ secrets.sso }}")
    assert "no secret secrets.sso" in case.sign_in().json["detail"]
    case.secrets.put(TENANT, "secrets.sso", "hunter2")
    assert case.sign_in().status == 200
    assert case.provider.asked[-1][2]["Authorization"] == "Basic Y2hyb25vczpodW50ZXIy"
    case.provider.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert case.sign_in().status == 200
    assert case.provider.asked[-1][1]["client_secret"] == "hunter2"
    case.settings(client_secret=None)
    assert case.sign_in().status == 200
    assert case.provider.asked[-1][1].keys() >= {"client_id", "code_verifier"}
    assert "client_secret" not in case.provider.asked[-1][1]


def test_settings_are_put_read_and_taken_away(case: Case) -> None:
    answer = case.admin.get("/tenant/sso")
    assert answer.json["email_domains"] == ["corp.example"]
    assert answer.json["sign_in_url"] == f"{PUBLIC_URL}{START}"
    assert answer.json["redirect_uri"] == f"{PUBLIC_URL}{START}/callback"
    former = {"If-Match": answer.headers["ETag"]}
    changed = case.admin.put("/tenant/sso", {**SETTINGS, "auto_join": False}, headers=former)
    assert changed.headers["ETag"] != answer.headers["ETag"]
    assert case.admin.put("/tenant/sso", SETTINGS, headers=former).status == 412
    assert case.admin.delete("/tenant/sso", headers=former).status == 412
    assert case.admin.delete("/tenant/sso").status == 204
    for gone in (case.admin.get("/tenant/sso"), case.admin.delete("/tenant/sso"), case.api.get(START)):
        assert code(gone, 404) == "not_found"
    assert case.settings().headers["ETag"] not in (answer.headers["ETag"], former["If-Match"])


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"issuer": "http://id.example.com"}, "/issuer"),
        ({"issuer": "https://id.example.com/other"}, "/issuer"),
        ({"client_id": ""}, "/client_id"),
        ({"client_id": "a\nb"}, "/client_id"),
        ({"client_secret": "hunter2"}, "/client_secret"),
        ({"client_secret": "x${{ secrets.sso }}"}, "/client_secret"),
        ({"client_secret": "${{ secrets.sso | upper }}"}, "/client_secret"),
        ({"client_secret": "${{ run.id }}"}, "/client_secret"),
        ({"client_secret": "${{ }}"}, "/client_secret"),
        ({"email_domains": []}, "/email_domains"),
        ({"email_domains": ["*"]}, "/email_domains"),
        ({"email_domains": ["com"]}, "/email_domains"),
        ({"email_domains": ["a@b.example"]}, "/email_domains"),
        ({"default_role": "owner"}, "/default_role"),
        ({"auto_join": "yes"}, "/auto_join"),
        ({"other": 1}, "/other"),
    ],
)
def test_settings_that_will_not_do_are_refused_where_they_are_wrong(
    case: Case, changed: dict[str, Any], pointer: str
) -> None:
    assert case.settings(**changed).pointers.keys() == {pointer}


def test_a_provider_that_cannot_be_used_is_refused_at_once(case: Case) -> None:
    case.provider.discovery = {"issuer": "https://evil.example.com"}
    assert case.settings().pointers == {"/issuer": "unusable_provider"}
    nobody = ApiClient(replace(case.engine, web=NoWeb()))
    assert nobody.put("/tenant/sso", SETTINGS).pointers == {"/issuer": "unusable_provider"}


def test_a_plan_without_it_has_no_single_sign_on() -> None:
    case = Case()
    engine = replace(case.engine, plans=type(case.engine.plans)())
    case.plan("pro")
    refused = ApiClient(engine, everybody).put("/tenant/sso", SETTINGS)
    assert code(refused, 403) == "feature_not_in_plan"
    assert ApiClient(engine).get(START).status == 404, "a plan that was had before"


def test_two_at_once_are_one_user(case: Case) -> None:
    """The other is let in between the reads and the writes of the first."""
    first, second = (case.begin() for _ in range(2))
    catalog, transact = case.world.db.catalog, case.world.db.transact
    queries = [case.provider.redirect(location) for location, _ in (first, second)]
    others: list[Answer] = []

    def interrupted(*writes: Any) -> None:
        case.world.db.transact = transact  # type: ignore[method-assign]
        others.append(case.back(queries[1], second[1]))
        transact(*writes)

    case.world.db.transact = interrupted  # type: ignore[method-assign]
    answer = case.back(queries[0], first[1])
    assert (answer.status, others[0].status) == (200, 200)
    assert answer.json["user"]["id"] == others[0].json["user"]["id"]
    assert len([key for key in catalog.items if key[0] == f"{TENANT}#members"]) == 1


def test_passwords_of_others_do_not_open_what_a_provider_opens(case: Case) -> None:
    case.sign_in()
    answer = case.api.post("/auth/login", {"email": EMAIL, "password": PASSWORD})
    assert code(answer, 401) == "bad_credentials"


def test_a_membership_from_before_is_kept(case: Case) -> None:
    user = user_named(case.engine, EMAIL)
    for put in member_puts(Member(TENANT, user.id, "operator", 1)):
        case.engine.db.catalog.write(put)
    assert case.sign_in().json["role"] == "operator"
