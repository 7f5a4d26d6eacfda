"""Attacks on who asks, at the HTTP door of a real server that believes a real issuer on loopback."""

from __future__ import annotations

import hmac
import random
import statistics
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from joserfc.jwk import RSAKey

from clearance.config.identity import read_identity
from clearance.core.model import Bounds, Principal, Proof, Role
from tests.conftest import make_server
from tests.doors.approvers import agent_key_of, http_of, token_of
from tests.doors.test_identity import House
from tests.servers.issuer import Issuer

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
HS256 = b'{"alg":"HS256","kid":"k1"}'
ADMINISTRATIVE = (
    ("POST", "/v1/policies"),
    ("PUT", "/v1/policies"),
    ("DELETE", "/v1/policies/x"),
    ("POST", "/v1/agents"),
    ("PATCH", "/v1/agents/billing"),
    ("POST", "/v1/agents/billing/retire"),
    ("POST", "/v1/agents/billing/keys"),
    ("POST", "/v1/agents/billing/ratify"),
    ("DELETE", "/v1/keys/x"),
    ("POST", "/v1/people"),
    ("PUT", "/v1/brake/all"),
    ("DELETE", "/v1/brake/all"),
    ("POST", "/v1/break-glass"),
    ("POST", "/v1/grants"),
    ("POST", "/v1/holds/x/approve"),
    ("POST", "/v1/holds/x/deny"),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    issuer, directory = Issuer(), tmp_path_factory.mktemp("house")
    provider = {"name": "idp", "kind": "oidc", "issuer": issuer.url, "audience": "clearance"}
    identity = {"providers": [{**provider, "single_use": True}]}
    (directory / "clearance.yaml").write_text(yaml.safe_dump({"identity": identity}))
    server = make_server(directory / "store")
    server.directory = directory
    server.start()
    made = House(server, issuer)
    yield made
    made.state.close()
    server.stop()
    issuer.close()


def claims(house: House, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": house.issuer.url, "aud": "clearance", "exp": now + 60, "sub": "crm", "client_id": "crm"}
    return {**good, "jti": f"{random.getrandbits(64)}", **changed}


def part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def forged(house: House, name: str) -> str:
    """A token that is wrong in one way."""
    good, issuer = claims(house), house.issuer
    public = issuer.keys["k1"].as_pem(private=False)
    match name:
        case "alg none":
            head, body, _ = issuer.token(good).split(".")
            return f"eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{body}."
        case "signature cut off":
            head, body, _ = issuer.token(good).split(".")
            return f"{head}.{body}."
        case "public key as a shared secret":
            _, body, _ = issuer.token(good).split(".")
            signed = f"{part(HS256)}.{body}"
            return f"{signed}.{part(hmac.digest(public, signed.encode(), 'sha256'))}"
        case "a key of somebody else under a known id":
            return issuer.token(good, key=RSAKey.generate_key(2048))
        case "another body under a good signature":
            head, _, signature = issuer.token(good).split(".")
            _, other, _ = issuer.token(claims(house, client_id="admin")).split(".")
            return f"{head}.{other}.{signature}"
        case "a key that it brings":
            own = RSAKey.generate_key(2048)
            return issuer.token(good, header={"jwk": own.as_dict(private=False)}, key=own)
    return issuer.token(good, header={"kid": name}, key=issuer.keys["k1"])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("alg none", "token_algorithm"),
        ("signature cut off", "token_signature"),
        ("public key as a shared secret", "token_algorithm"),
        ("a key of somebody else under a known id", "token_signature"),
        ("another body under a good signature", "token_signature"),
        ("a key that it brings", "token_signature"),
        ("../../../../etc/passwd", "token_key_unknown"),
        ("k1/../k1", "token_key_unknown"),
        ("' OR 1=1 --", "token_key_unknown"),
        ("k1\x00", "token_key_unknown"),
        ("http://evil.example/jwks", "token_key_unknown"),
    ],
)
def test_a_forged_token_is_refused_with_its_code(house: House, name: str, code: str) -> None:
    assert house.refused(forged(house, name)) == code


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"aud": "another"}, "token_audience"),
        ({"aud": ["another"]}, "token_audience"),
        ({"aud": "clearance.evil"}, "token_audience"),
        ({"iss": "https://evil.example"}, "token_issuer"),
        ({"exp": 1}, "token_expired"),
        ({"exp": True}, "token_claims"),
        ({"nbf": 4_000_000_000}, "token_not_yet_valid"),
        ({"iat": 4_000_000_000}, "token_not_yet_valid"),
        ({"client_id": "person:alice"}, "token_claims"),
        ({"client_id": "service:ops"}, "token_claims"),
        ({"client_id": "local:root"}, "token_claims"),
        ({"client_id": "provider:idp"}, "token_claims"),
        ({"client_id": "billing\u200b"}, "token_claims"),
        ({"act": {"sub": "person:alice"}}, "token_claims"),
    ],
    ids=str,
)
def test_a_signed_token_that_says_too_much_is_refused(
    house: House, changed: dict[str, Any], code: str
) -> None:
    assert house.refused(house.issuer.token(claims(house, **changed))) == code


def test_a_token_of_one_use_is_good_for_one(house: House) -> None:
    token = house.issuer.token(claims(house))
    assert house.ask(token).json()["name"] == "crm"
    assert house.refused(token) == "token_replayed"


def test_a_look_alike_of_an_agent_is_another_agent(house: House) -> None:
    """Cyrillic, full width, another case: none of them is `billing`, nor has anything of it."""
    for name in ("b\u0456lling", "\uff42illing", "Billing", "BILLING", "billing."):
        told = house.ask(house.issuer.token(claims(house, sub=name, client_id=name)))
        assert told.json()["name"] == name
        listed = house.state.agents.agent(name)
        assert listed is not None
        assert listed.source == "provider"
    kept = house.state.agents.agent("billing")
    assert kept is not None
    assert kept.source == "registered"


def test_two_providers_may_not_both_name_the_agents(house: House) -> None:
    """A client of the one, named like an agent of the other, would be that agent."""
    one = {"name": "a", "kind": "oidc", "issuer": "https://a.example", "audience": "c"}
    two = {**one, "name": "b", "issuer": "https://b.example"}
    _, problems = read_identity({"providers": [one, two]}, file="f")
    assert ["agent_prefix" in problem.message for problem in problems] == [True]
    assert read_identity({"providers": [one, {**two, "agent_prefix": "b/"}]}, file="f")[1] == []


def test_no_header_cookie_or_body_names_the_agent(house: House) -> None:
    key, name = house.server.agent_key, "admin"
    spoofed = dict.fromkeys(
        ("X_Agent", "X_Clearance_Agent", "Agent", "X_Forwarded_User", "Remote_User"), name
    )
    assert house.ask(key, **spoofed).json()["name"] == "billing"
    assert house.refused(**spoofed) == "unauthenticated"
    for path, body in (("/v1/actions", {"action": "read"}), ("/v1/runs", {"goal": "x"})):
        with http_of(house.server, key) as http:
            answer = http.post(path, json={**body, "agent": name})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    certificate = "URI=spiffe://prod.example/admin"
    assert house.refused(x_forwarded_client_cert=certificate, x_real_ip="127.0.0.1") == "proxy_untrusted"
    assert house.ask(key, x_forwarded_client_cert=certificate).json()["name"] == "billing"
    twice = [("Authorization", f"Bearer {house.server.admin_key}"), ("Authorization", f"Bearer {key}")]
    for headers in (twice, twice[::-1]):
        answer = httpx.get(f"{house.server.url}/v1/me", headers=headers)
        assert answer.status_code == 401


def test_the_administrative_run_is_nobodys_to_write(house: House) -> None:
    with http_of(house.server, agent_key_of(house.server, "administration")) as agent:
        for path, body in (
            ("/v1/runs", {"goal": "x", "run_id": "administration"}),
            ("/v1/runs/administration/notes", {"text": "x"}),
            ("/v1/runs/administration/end", {"status": "succeeded"}),
            ("/v1/actions", {"action": "read", "run_id": "administration"}),
        ):
            answer = agent.post(path, json=body)
            assert answer.status_code in (400, 403, 404, 409), (path, answer.text)
        assert agent.get("/v1/runs/administration/trace").status_code == 404
        assert agent.get("/v1/records?run_id=administration").json()["records"] == []


def test_a_delegation_is_never_wider_than_its_maker(house: House) -> None:
    text, _ = house.keys.issue("narrow", by="p", bounds=(Bounds(operations=("read",), resources=("a.*",)),))
    agent_key_of(house.server, "narrow")
    agent_key_of(house.server, "helper")
    with http_of(house.server, text) as narrow:
        for bounds in ({}, {"operations": ["read", "delete"]}, {"operations": ["read"], "resources": ["*"]}):
            wide = narrow.post("/v1/delegations", json={"to": "helper", "bounds": bounds})
            assert (wide.status_code, wide.json()["error"]["code"]) == (401, "delegation_too_wide"), bounds
        within = {"operations": ["read"], "resources": ["a.b"]}
        assert narrow.post("/v1/delegations", json={"to": "helper", "bounds": within}).status_code == 201
    maker = Principal(agent="narrow", proof=Proof.DECLARED)
    with pytest.raises(Exception, match="proven"):
        house.keys.delegate(maker, to="helper", bounds=Bounds(), seconds=60)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.APPROVER, Role.OPERATOR])
def test_a_service_token_does_what_its_role_may_and_nothing_else(house: House, role: Role) -> None:
    may = {
        Role.APPROVER: {"/v1/grants", "/v1/holds/x/approve", "/v1/holds/x/deny"},
        Role.OPERATOR: {
            *("/v1/grants", "/v1/holds/x/approve", "/v1/holds/x/deny"),
            *("/v1/brake/all", "/v1/break-glass", "/v1/keys/x"),
        },
    }.get(role, set())
    with http_of(house.server, token_of(house.server, f"only-{role.value}", role)) as http:
        for method, path in ADMINISTRATIVE:
            answer = http.request(method, path, content=b"{")
            is_refused = answer.status_code == 403 and answer.json()["error"]["code"] == "forbidden"
            # A request that is let through fails at its body, or at what there is not: nothing is changed.
            assert is_refused or path in may or path == "/v1/break-glass", (role, method, path, answer.text)
    with http_of(house.server, house.server.agent_key) as agent:
        for method, path in ADMINISTRATIVE:
            assert agent.request(method, path, content=b"{").status_code == 403, path


def test_a_session_ends_with_its_account_and_no_other_site_uses_its_cookie(house: House) -> None:
    with house.server.http(admin=True) as admin:
        account = {"name": "dora", "password": "correct horse battery", "roles": ["admin"]}
        assert admin.post("/v1/people", json=account).status_code == 201
        origin = {"origin": house.server.url}
        with httpx.Client(base_url=house.server.url, headers=origin) as browser:
            body = {"name": "dora", "password": account["password"], "cookie": True}
            assert browser.post("/v1/login", json=body).status_code == 200
            for foreign in (
                {"origin": "https://evil.test"},
                {"origin": "null"},
                {"sec-fetch-site": "cross-site"},
            ):
                forged_request = browser.put("/v1/brake/all", json={}, headers=foreign)
                assert forged_request.status_code == 401, foreign
            both = browser.get("/v1/me", headers={"Authorization": f"Bearer {house.server.agent_key}"})
            assert both.json()["name"] == "billing", "the cookie adds nothing to a key"
            assert browser.get("/v1/me").json()["name"] == "dora"
            gone = admin.delete("/v1/people/dora")
            assert gone.status_code == 200, gone.text
            answer = browser.get("/v1/me")
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


def test_how_much_of_a_key_is_right_cannot_be_told_by_the_time_it_takes(house: House) -> None:
    """Medians of interleaved calls. A comparison that leaked would leak nanoseconds: what is refused here is
    work that depends on the secret, and the bound is wide, so that a busy machine does not matter."""
    right = house.server.agent_key
    first = right[:-42] + ("A" if right[-42] != "A" else "B") + right[-41:]
    last = right[:-1] + ("A" if right[-1] != "A" else "B")
    unknown = f"clr_000000000000_{right.split('_', 2)[2]}"
    took: dict[str, list[float]] = {first: [], last: [], unknown: []}
    with httpx.Client(base_url=house.server.url) as http:
        for _ in range(150):
            for key in random.sample(list(took), len(took)):
                began = time.perf_counter()
                answer = http.get("/v1/me", headers={"Authorization": f"Bearer {key}"})
                took[key].append(time.perf_counter() - began)
                assert answer.json()["error"]["code"] == "unauthenticated"
    medians = sorted(statistics.median(times) for times in took.values())
    assert medians[-1] < 2 * medians[0]
