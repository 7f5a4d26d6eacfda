"""Logging in as a browser and a command line do: real redirects, a real identity provider, a real server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.conftest import Server, make_server
from tests.servers.oidc import SECRET, Provider

pytestmark = pytest.mark.servers

_CONFIG = """
login:
  - provider: company
    issuer: {issuer}
    client_id: clearance
    client_secret_file: {secret}
    redirect_uri: {url}/v1/login/company/callback
    roles: {{platform-admins: admin, on-call: operator}}
    teams_claim: teams
  - provider: open
    issuer: {issuer}
    client_id: clearance-public
    redirect_uri: {url}/v1/login/open/callback
identity:
  providers:
    - {{kind: oidc, name: company, issuer: "{issuer}", audience: [clearance], agents: arrive}}
"""


@pytest.fixture(scope="module")
def door(identity_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("login")
    made = make_server(directory / "store")
    made.directory = directory
    (directory / "secret").write_text(SECRET)
    told = _CONFIG.format(issuer=identity_provider.issuer, secret=directory / "secret", url=made.url)
    (directory / "clearance.yaml").write_text(told)
    for name in ("company", "open"):
        identity_provider.may_return_to(f"{made.url}/v1/login/{name}/callback")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=False, timeout=20) as opened:
        yield opened


def _returned(
    door: Server,
    provider: Provider,
    browser: httpx.Client,
    name: str,
    *,
    query: str = "",
    at: str = "company",
) -> str:
    """The URL that the provider sends the browser back to, not yet asked."""
    begun = browser.get(f"{door.url}/v1/login/{at}{query}")
    assert begun.status_code == 303, begun.text
    return provider.log_in(browser, begun.headers["location"], name).headers["location"]


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_whoever_the_provider_vouches_for_gets_a_session_with_the_roles_of_their_groups(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    begun = browser.get(f"{door.url}/v1/login/company")
    asked = httpx.URL(begun.headers["location"]).params
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    back = identity_provider.log_in(browser, begun.headers["location"], "alice").headers["location"]
    landed = browser.get(back)
    assert (landed.status_code, landed.json()) == (200, {"name": "alice", "roles": ["admin"]})
    [kept] = [
        one for one in landed.headers.get_list("set-cookie") if one.startswith("clearance_session=cls_")
    ]
    assert "HttpOnly" in kept
    assert "SameSite=Lax" in kept
    me = browser.get(f"{door.url}/v1/me").json()
    assert me == {"name": "alice", "kind": "person", "roles": ["admin"], "teams": ["payments"]}
    assert "cls_" not in landed.text


def test_somebody_whose_groups_say_nothing_here_is_refused(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    back = _returned(door, identity_provider, browser, "carol")
    assert _code(browser.get(back)) == (401, "login_failed")
    assert "clearance_session" not in browser.cookies


def test_a_login_goes_on_to_a_path_here_and_nowhere_else(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    landed = browser.get(_returned(door, identity_provider, browser, "alice", query="?next=/holds/1%3Fx=2"))
    assert (landed.status_code, landed.headers["location"]) == (303, "/holds/1?x=2")
    for elsewhere in (
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "evil",
        "/%0d%0aset-cookie:x=1",
        "/\t/x",
    ):
        answer = browser.get(f"{door.url}/v1/login/company", params={"next": elsewhere})
        wanted = (303, None) if elsewhere == "/%0d%0aset-cookie:x=1" else (400, "wrong_value")
        got = (answer.status_code, answer.json().get("error", {}).get("code"))
        assert got == wanted, elsewhere


def test_a_state_is_good_once_and_a_code_too(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    back = _returned(door, identity_provider, browser, "alice")
    kept = dict(browser.cookies)
    assert browser.get(back).status_code == 200
    again = httpx.get(back, cookies=kept)
    assert _code(again) == (401, "login_invalid")
    # The used code with a fresh state: the provider refuses it.
    begun = browser.get(f"{door.url}/v1/login/company")
    state = httpx.URL(begun.headers["location"]).params["state"]
    replayed = httpx.URL(back).copy_set_param("state", state)
    assert _code(browser.get(replayed)) == (401, "login_invalid")


def test_a_state_that_was_not_given_out_is_refused(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    back = httpx.URL(_returned(door, identity_provider, browser, "alice"))
    assert _code(browser.get(back.copy_set_param("state", "x" * 43))) == (401, "login_invalid")
    assert _code(browser.get(back.copy_remove_param("state"))) == (401, "login_invalid")


def test_an_attackers_login_cannot_be_finished_in_a_victims_browser(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    with httpx.Client(follow_redirects=False) as attacker:
        theirs = _returned(door, identity_provider, attacker, "bob")
    browser.get(f"{door.url}/v1/login/company")  # the victim has a login of their own under way
    assert _code(browser.get(theirs)) == (401, "login_invalid")
    assert "clearance_session" not in browser.cookies


def test_a_code_of_another_login_is_refused(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    """Injected into one's own flow, a stolen code meets another verifier and another nonce."""
    with httpx.Client(follow_redirects=False) as victim:
        stolen = httpx.URL(_returned(door, identity_provider, victim, "alice")).params["code"]
    begun = browser.get(f"{door.url}/v1/login/company")
    state = httpx.URL(begun.headers["location"]).params["state"]
    back = f"{door.url}/v1/login/company/callback"
    answer = browser.get(back, params={"code": stolen, "state": state, "iss": identity_provider.issuer})
    assert _code(answer) == (401, "login_invalid")


def test_an_answer_of_another_issuer_is_refused(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    back = httpx.URL(_returned(door, identity_provider, browser, "alice"))
    assert _code(browser.get(back.copy_set_param("iss", "https://evil.test"))) == (401, "login_invalid")
    back = httpx.URL(_returned(door, identity_provider, browser, "alice"))
    assert _code(browser.get(back.copy_remove_param("iss"))) == (401, "login_invalid")


def test_a_login_does_not_take_over_a_session_that_was_planted_before(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    planted = "cls_000000000000_planted"
    browser.cookies.set("clearance_session", planted, domain="127.0.0.1")
    landed = browser.get(_returned(door, identity_provider, browser, "alice"))
    [made] = [one for one in landed.headers.get_list("set-cookie") if one.startswith("clearance_session=")]
    assert planted not in made
    assert httpx.get(f"{door.url}/v1/me", cookies={"clearance_session": planted}).status_code == 401


def test_a_cookie_changes_nothing_for_another_sites_page(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    browser.get(_returned(door, identity_provider, browser, "alice"))
    body = {"name": "made-by-csrf"}
    for headers in (
        {},
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": door.url},
    ):
        answer = browser.post(f"{door.url}/v1/people", json=body, headers=headers)
        assert _code(answer) == (401, "unauthenticated"), headers
    ours = browser.post(f"{door.url}/v1/people", json={"name": "made-here"}, headers={"origin": door.url})
    assert ours.status_code == 201
    fetched = {"sec-fetch-site": "same-origin"}
    assert browser.delete(f"{door.url}/v1/people/made-here", headers=fetched).status_code == 200


def test_who_is_deactivated_is_out_at_once_and_cannot_come_back(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    browser.get(_returned(door, identity_provider, browser, "bob"))
    assert browser.get(f"{door.url}/v1/me").json()["roles"] == ["operator"]
    with httpx.Client(follow_redirects=False) as second:
        under_way = _returned(door, identity_provider, second, "bob")
        with door.http(admin=True) as admin:
            assert admin.delete("/v1/people/bob").json()["is_active"] is False
        assert browser.get(f"{door.url}/v1/me").status_code == 401
        assert _code(second.get(under_way)) == (401, "login_failed")


def test_a_login_goes_through_a_key_rotation(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    assert browser.get(_returned(door, identity_provider, browser, "alice")).status_code == 200
    identity_provider.rotate(keep=False)
    browser.cookies.clear()
    assert browser.get(_returned(door, identity_provider, browser, "alice")).status_code == 200


def test_where_roles_are_ruled_here_only_who_was_invited_comes_in(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    refused = browser.get(_returned(door, identity_provider, browser, "erin", at="open"))
    assert _code(refused) == (401, "login_failed")
    with door.http(admin=True) as admin:
        for name in ("carol", "erin"):
            invited = {"name": f"cook-{name}", "source": "provider", "email": f"{name}@example.test"}
            assert admin.post("/v1/people", json={**invited, "roles": ["viewer"]}).status_code == 201
    browser.cookies.clear()
    landed = browser.get(_returned(door, identity_provider, browser, "erin", at="open"))
    assert landed.json() == {"name": "cook-erin", "roles": ["viewer"]}
    # carol's address is not verified at the provider: the invitation is not hers to take
    browser.cookies.clear()
    refused = browser.get(_returned(door, identity_provider, browser, "carol", at="open"))
    assert _code(refused) == (401, "login_failed")


def test_a_command_line_gets_its_session_over_loopback(
    door: Server, identity_provider: Provider, browser: httpx.Client
) -> None:
    verifier = secrets.token_urlsafe(48)
    query = f"?loopback_port=54321&challenge={create_s256_code_challenge(verifier)}"
    landed = browser.get(_returned(door, identity_provider, browser, "alice", query=query))
    onward = httpx.URL(landed.headers["location"])
    assert (onward.host, onward.port) == ("127.0.0.1", 54321)
    assert "clearance_session" not in browser.cookies
    given = {"code": onward.params["code"], "verifier": "somebody else's"}
    assert _code(httpx.post(f"{door.url}/v1/login/exchange", json=given)) == (401, "login_invalid")
    again = {**given, "verifier": verifier}  # a wrong guess used the code up
    assert _code(httpx.post(f"{door.url}/v1/login/exchange", json=again)) == (401, "login_invalid")
    browser.cookies.clear()
    landed = browser.get(_returned(door, identity_provider, browser, "alice", query=query))
    code = httpx.URL(landed.headers["location"]).params["code"]
    told = httpx.post(f"{door.url}/v1/login/exchange", json={"code": code, "verifier": verifier}).json()
    headers = {"authorization": f"Bearer {told['session']}"}
    assert httpx.get(f"{door.url}/v1/me", headers=headers).json()["name"] == "alice"
    assert httpx.post(f"{door.url}/v1/logout", headers=headers).json() == {"name": "alice"}
    assert httpx.get(f"{door.url}/v1/me", headers=headers).status_code == 401


def test_an_agent_acts_with_the_providers_token_and_the_whole_chain_is_recorded(
    door: Server, identity_provider: Provider
) -> None:
    """Agent B, called by agent A, on behalf of alice, over HTTP; a person's session may not do the same."""
    users = identity_provider.users_token("alice")
    token = identity_provider.exchanged("agent-b", identity_provider.exchanged("agent-a", users))
    agent = {"authorization": f"Bearer {token}"}
    answer = httpx.post(
        f"{door.url}/v1/actions", json={"action": "read", "resource": "staging.notes"}, headers=agent
    )
    assert answer.status_code == 200, answer.text
    with door.http(admin=True) as admin:
        records = admin.get(f"/v1/runs/{answer.json()['run_id']}/trace").json()["records"]
    [intent] = [one for one in records if one["kind"] == "intent"]
    told = intent["body"]["principal"]
    assert told["agent"] == "agent-b"
    assert [(one["name"], one.get("kind", "agent")) for one in told["on_behalf_of"]] == [
        ("agent-a", "agent"),
        ("alice", "person"),
    ]
    with door.http(admin=True) as admin:
        [known] = [one for one in admin.get("/v1/agents").json()["agents"] if one["name"] == "agent-b"]
    assert known["source"] == "provider"


def test_an_agents_token_does_not_rule_and_a_token_for_another_does_nothing(
    door: Server, identity_provider: Provider
) -> None:
    agent = {"authorization": f"Bearer {identity_provider.token('agent-a')}"}
    assert httpx.get(f"{door.url}/v1/me", headers=agent).json()["kind"] == "agent"
    assert _code(httpx.get(f"{door.url}/v1/people", headers=agent)) == (403, "forbidden")
    other = {"authorization": f"Bearer {identity_provider.token('agent-a', resource='urn:other')}"}
    assert _code(httpx.get(f"{door.url}/v1/me", headers=other)) == (401, "token_audience")
