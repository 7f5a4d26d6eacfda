"""Who asks, at the HTTP door of a real server: tokens of a real issuer, delegations, and headers that lie."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from clearance.adapters.identity import new_key
from clearance.adapters.store import MemoryJournal, SqliteState
from clearance.core.model import Agent, AgentStatus, Bounds, Principal, Proof
from clearance.runtime.audit import Audit
from clearance.runtime.keys import Keys
from clearance.wiring import utc_now
from tests.conftest import Server, make_server
from tests.servers.issuer import Issuer

pytestmark = pytest.mark.servers

CRM = "URI=spiffe://prod.example/crm"


class House:
    """A server, the issuer that it believes, and the store that both we and it have open."""

    def __init__(self, server: Server, issuer: Issuer) -> None:
        self.server = server
        self.issuer = issuer
        self.state = SqliteState(server.store)
        audit = Audit(MemoryJournal(), utc_now)
        self.keys = Keys(self.state.credentials, audit, clock=utc_now, new_credential=new_key)

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        good = {"iss": self.issuer.url, "aud": "clearance", "exp": now + 60, "sub": "crm", "client_id": "crm"}
        return self.issuer.token({**good, **claims})

    def ask(self, credential: str = "", *, path: str = "/v1/me", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if credential:
            sent["Authorization"] = f"Bearer {credential}"
        return httpx.get(f"{self.server.url}{path}", headers=sent, timeout=10)

    def refused(self, credential: str = "", **headers: str) -> str:
        answer = self.ask(credential, **headers)
        assert answer.status_code == 401, answer.text
        assert not credential or credential not in answer.text
        return str(answer.json()["error"]["code"])

    def act(self, credential: str, *, action: str = "read", **headers: str) -> dict[str, Any]:
        """One action in a run of its own: the answer, and the principal that the trace has."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = f"Bearer {credential}"
        with httpx.Client(base_url=self.server.url, headers=sent, timeout=10) as http:
            run = http.post("/v1/runs", json={"goal": "look"}).json()["run_id"]
            body = {"action": action, "resource": "archive", "run_id": run}
            answer: dict[str, Any] = http.post("/v1/actions", json=body).json()
            trace = http.get(f"/v1/runs/{run}/trace").json()
        return {**answer, "trace": trace}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    issuer, directory = Issuer(), tmp_path_factory.mktemp("house")
    provider = {"name": "idp", "kind": "oidc", "issuer": issuer.url, "audience": "clearance"}
    mesh = {"name": "mesh", "kind": "spiffe", "trust_domain": "prod.example"}
    identity = {"providers": [provider, mesh], "trusted_proxies": ["10.9.8.7"]}
    (directory / "clearance.yaml").write_text(yaml.safe_dump({"identity": identity}))
    server = make_server(directory / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)  # the server reads its settings where it starts
        server.start()
    made = House(server, issuer)
    yield made
    made.state.close()
    server.stop()
    issuer.close()


def test_a_token_acts_and_the_trace_has_its_chain(house: House) -> None:
    answer = house.act(house.token(sub="alice", act={"sub": "b", "act": {"sub": "a"}}))
    assert answer["effect"] == "allow"
    principal = str(answer["trace"])
    assert "'agent': 'b'" in principal
    assert "'name': 'a'" in principal
    assert "'name': 'alice', 'kind': 'person'" in principal
    assert house.state.agents.agent("b") is not None


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "other"}, "token_audience"),
        ({"iss": "https://evil.example"}, "token_issuer"),
        ({"exp": 1}, "token_expired"),
        ({"nbf": 4_000_000_000}, "token_not_yet_valid"),
        ({"act": "b"}, "token_claims"),
    ],
)
def test_a_bad_token_is_refused_with_its_code(house: House, claims: dict[str, Any], code: str) -> None:
    assert house.refused(house.token(**claims)) == code


def test_an_issuer_is_not_asked_by_those_who_flood_it(house: House) -> None:
    house.ask(house.token())
    asked = house.issuer.asked["/jwks"]
    for index in range(20):
        token = house.issuer.token({"iss": house.issuer.url}, header={"kid": f"../{index}"})
        assert house.refused(token) == "token_key_unknown"
    assert house.issuer.asked["/jwks"] <= asked + 1


def test_no_header_names_the_agent(house: House) -> None:
    spoofed = dict.fromkeys(("X_Agent", "X_Clearance_Agent", "Clearance_Agent", "X_Forwarded_User"), "admin")
    answer = house.ask(house.server.agent_key, **spoofed)
    assert answer.json()["name"] == "billing"
    assert house.refused(**spoofed) == "unauthenticated"


def test_a_body_that_names_another_agent_is_refused(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.server.agent_key}"}
    answer = httpx.post(f"{house.server.url}/v1/runs", json={"goal": "x", "agent": "admin"}, headers=headers)
    assert answer.status_code == 403


def test_a_certificate_that_no_trusted_proxy_forwarded_proves_nothing(house: House) -> None:
    assert house.refused(x_forwarded_client_cert=CRM) == "proxy_untrusted"
    lying = {"x_forwarded_client_cert": CRM, "x_forwarded_for": "10.9.8.7", "forwarded": "for=10.9.8.7"}
    assert house.refused(**lying) == "proxy_untrusted"
    assert house.ask(house.server.agent_key, **lying).json()["name"] == "billing"


def test_a_delegate_acts_within_the_delegation_and_no_further(house: House) -> None:
    maker = Principal(agent="a", proof=Proof.API_KEY)
    given, _ = house.keys.delegate(maker, to="billing", bounds=Bounds(operations=("read",)), seconds=60)
    delegated = {"clearance_delegation": given}
    answer = house.act(house.server.agent_key, **delegated)
    assert answer["effect"] == "allow"
    assert "'on_behalf_of': [{'name': 'a'}]" in str(answer["trace"])
    assert given not in str(answer["trace"])
    answer = house.act(house.server.agent_key, action="delete", **delegated)
    assert answer["effect"] == "deny"
    assert "out_of_bounds" in str(answer["reasons"])
    assert house.refused(given) == "delegation_invalid"
    assert house.refused(house.token(), **delegated) == "delegation_invalid"


def test_a_key_that_is_revoked_in_another_process_is_refused_at_the_next_call(house: House) -> None:
    text, stored = house.keys.issue("scout", by="p")
    assert house.ask(text).status_code == 200
    house.keys.revoke(stored.credential_id, by="p")
    assert house.refused(text) == "unauthenticated"


def test_a_token_whose_agent_is_retired_in_another_process_is_refused_at_the_next_call(house: House) -> None:
    token = house.token(sub="old", client_id="old")
    assert house.ask(token).status_code == 200
    house.state.agents.replace_agent(Agent(name="old", created_at=utc_now(), status=AgentStatus.RETIRED))
    assert house.refused(token) == "agent_retired"
