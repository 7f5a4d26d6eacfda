"""Local accounts, sessions and their cookies over HTTP, as a browser and its attackers would use them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from clearance.gateway.browser import cookie, is_foreign, is_same_origin, secure_flag
from tests.conftest import Server

pytestmark = pytest.mark.servers

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[httpx.Client]:
    with server.http(admin=True) as http:
        for name, role in (("alice", "admin"), ("vera", "viewer"), ("otto", "operator")):
            body = {"name": name, "roles": [role], "password": PASSWORD}
            assert http.post("/v1/people", json=body).status_code == 201
        yield http


@pytest.fixture
def browser(server: Server, admin: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"origin": server.url}) as opened:
        yield opened


def _log_in(
    http: httpx.Client, name: str, *, password: str = PASSWORD, cookie: bool = False
) -> httpx.Response:
    return http.post("/v1/login", json={"name": name, "password": password, "cookie": cookie})


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_password_gives_a_bearer_or_a_cookie_and_never_both(browser: httpx.Client) -> None:
    bearer = _log_in(browser, "vera")
    assert bearer.json()["session"].startswith("cls_")
    assert "set-cookie" not in bearer.headers
    assert bearer.headers["cache-control"] == "no-store"
    kept = _log_in(browser, "vera", cookie=True)
    assert kept.json() == {"name": "vera", "roles": ["viewer"]}
    flags = kept.headers["set-cookie"]
    assert "HttpOnly; SameSite=Lax" in flags
    assert "Secure" not in flags
    assert browser.get("/v1/me").json()["name"] == "vera"


def test_failures_are_told_alike_and_recorded(browser: httpx.Client, admin: httpx.Client) -> None:
    wrong, nobody = _log_in(browser, "vera", password="not it at all"), _log_in(browser, "no-such-person")
    assert _code(wrong) == _code(nobody) == (401, "login_failed")
    assert wrong.content == nobody.content
    acts = admin.get("/v1/runs/administration/trace").json()["records"]
    failed = [one for one in acts if one["tool"] == "person.login_failed"]
    assert len(failed) >= 2
    assert "no-such-person" not in str(acts)
    assert PASSWORD not in str(acts)


def test_another_sites_page_cannot_log_a_browser_in(server: Server, browser: httpx.Client) -> None:
    body = {"name": "vera", "password": PASSWORD, "cookie": True}
    for headers in ({"origin": "https://evil.test"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = httpx.post(f"{server.url}/v1/login", json=body, headers=headers)
        assert _code(answer) == (403, "forbidden"), headers
        assert "set-cookie" not in answer.headers


def test_a_session_ends_for_good_when_it_is_logged_out(server: Server, browser: httpx.Client) -> None:
    _log_in(browser, "vera", cookie=True)
    kept = browser.cookies["clearance_session"]
    out = browser.post("/v1/logout")
    assert out.json() == {"name": "vera"}
    assert "clearance_session" not in browser.cookies
    assert httpx.get(f"{server.url}/v1/me", cookies={"clearance_session": kept}).status_code == 401


def test_only_a_session_is_logged_out(admin: httpx.Client) -> None:
    assert _code(admin.post("/v1/logout")) == (400, "wrong_value")
    assert admin.get("/v1/me").status_code == 200


def test_only_a_session_lives_in_the_cookie_and_a_bearer_wins(server: Server, browser: httpx.Client) -> None:
    for text in (server.agent_key, server.admin_key):
        answer = httpx.get(f"{server.url}/v1/me", cookies={"clearance_session": text})
        assert _code(answer) == (401, "unauthenticated")
    _log_in(browser, "vera", cookie=True)
    mixed = browser.get("/v1/me", headers={"authorization": f"Bearer {server.agent_key}"})
    assert mixed.json()["name"] == "billing"
    nonsense = browser.get("/v1/me", headers={"authorization": "Bearer clr_none_none"})
    assert nonsense.status_code == 401, "a cookie does not help a bad key out"


def test_a_cookie_that_is_sent_twice_is_none(server: Server, browser: httpx.Client) -> None:
    _log_in(browser, "vera", cookie=True)
    mine = browser.cookies["clearance_session"]
    headers = {"cookie": f"clearance_session=cls_x_y; clearance_session={mine}"}
    assert httpx.get(f"{server.url}/v1/me", headers=headers).status_code == 401


def test_an_agent_is_not_acted_for_with_a_session(browser: httpx.Client) -> None:
    _log_in(browser, "alice", cookie=True)
    answer = browser.post("/v1/actions", json={"action": "read"})
    assert _code(answer) == (403, "forbidden")


def test_roles_that_are_taken_away_are_gone_for_the_next_request(
    browser: httpx.Client, admin: httpx.Client
) -> None:
    _log_in(browser, "otto", cookie=True)
    assert browser.get("/v1/me").json()["roles"] == ["operator"]
    assert admin.patch("/v1/people/otto", json={"roles": []}).status_code == 200
    assert _code(browser.get("/v1/systems")) == (403, "forbidden")
    sessions = [one for one in admin.get("/v1/sessions").json()["sessions"] if one["name"] == "otto"]
    assert len(sessions) == 1
    assert admin.delete(f"/v1/sessions/{sessions[0]['id']}").json() == {"id": sessions[0]["id"]}
    assert browser.get("/v1/me").status_code == 401


def test_tokens_of_services_over_http(server: Server, admin: httpx.Client) -> None:
    body = {"name": "deploy", "roles": ["auditor"], "source": "service"}
    assert "password_hash" not in admin.post("/v1/people", json=body).json()
    made = admin.post("/v1/people/deploy/tokens", json={"expires_days": 3, "label": "ci"}).json()
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {made['token']}"}) as service:
        assert service.get("/v1/me").json() == {
            "name": "deploy",
            "kind": "service",
            "roles": ["auditor"],
            "teams": [],
        }
        assert service.get("/v1/tokens").status_code == 200
        assert _code(service.post("/v1/people", json={"name": "x"})) == (403, "forbidden")
        rotated = admin.post(f"/v1/tokens/{made['id']}/rotate", json={"overlap_seconds": 0}).json()
        assert service.get("/v1/me").status_code == 401
    listed = admin.get("/v1/tokens").text
    assert made["token"].rsplit("_", 1)[1] not in listed
    assert rotated["token"].rsplit("_", 1)[1] not in listed
    assert admin.delete(f"/v1/tokens/{rotated['id']}").json()["revoked_at"]
    assert _code(admin.post("/v1/people/alice/tokens", json={})) == (400, "wrong_value")


def _scope(**headers: str) -> dict[str, Any]:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"method": "POST", "scheme": "http", "headers": told}


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"origin": "https://c.test", "host": "c.test"}, True),
        ({"origin": "https://c.test", "host": "c.test:443"}, True),
        ({"origin": "http://c.test:8700", "host": "c.test:8700"}, True),
        ({"origin": "http://c.test:8700", "host": "c.test"}, False),
        ({"origin": "https://c.test.evil.test", "host": "c.test"}, False),
        ({"origin": "https://evil.test", "host": "c.test"}, False),
        ({"origin": "ftp://c.test", "host": "c.test"}, False),
        ({"origin": "http://c.test:x", "host": "c.test"}, False),
        ({"origin": "http://[", "host": "c.test"}, False),
        ({"host": "c.test"}, False),
        ({"sec_fetch_site": "same-origin", "host": "c.test"}, True),
        ({"sec_fetch_site": "none", "origin": "https://c.test", "host": "c.test"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "https://c.test", "host": "c.test"}, False),
    ],
)
def test_what_counts_as_a_page_of_this_server(headers: dict[str, str], ours: bool) -> None:
    assert is_same_origin(_scope(**headers)) is ours
    assert is_foreign(_scope(**headers)) is (not ours and len(headers) > 1)


def test_a_cookie_is_read_by_its_whole_name() -> None:
    assert cookie("a=1; clearance_session=x; b=2", "clearance_session") == "x"
    assert cookie("xclearance_session=x", "clearance_session") == ""
    assert cookie("", "clearance_session") == ""


def test_a_cookie_is_secure_where_the_browser_came_by_https() -> None:
    assert secure_flag(_scope()) == ""
    assert secure_flag(_scope(origin="https://c.test")) == "; Secure"
    assert secure_flag(_scope(), "https://c.test/v1/login/x/callback") == "; Secure"
    assert secure_flag({**_scope(), "scheme": "https"}) == "; Secure"


def test_a_flood_of_logins_holds_nobody_else_up(server: Server, admin: httpx.Client) -> None:
    """Forty guesses at once. The last test here: from now on this address has to wait."""
    with ThreadPoolExecutor(40) as pool:
        body = {"password": "a guess of mine"}
        guesses = [
            pool.submit(httpx.post, f"{server.url}/v1/login", json={"name": f"n-{n}", **body}, timeout=120)
            for n in range(40)
        ]
        time.sleep(0.3)
        assert admin.get("/v1/sessions").status_code == 200
        waiting = sum(not guess.done() for guess in guesses)
        assert {guess.result().status_code for guess in guesses} == {401}
    assert waiting > 0


def test_an_admin_lets_somebody_back_in_without_what_ended(admin: httpx.Client, server: Server) -> None:
    new = {"name": "returning", "source": "service", "roles": ["viewer", "operator"]}
    assert admin.post("/v1/people", json=new).status_code == 201
    token = admin.post("/v1/people/returning/tokens", json={}).json()["token"]
    for change in ({"is_active": False}, {"is_active": True, "roles": ["viewer"]}):
        told = admin.patch("/v1/people/returning", json=change).json()
        assert told["is_active"] is change["is_active"]
    assert told["roles"] == ["viewer"]
    assert httpx.get(f"{server.url}/v1/me", headers={"authorization": f"Bearer {token}"}).status_code == 401
