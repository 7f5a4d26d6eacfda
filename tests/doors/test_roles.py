"""The whole matrix: every endpoint, every role, an agent and nobody. The table is docs/people.md's."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from clearance.adapters.identity import new_key
from clearance.config import Settings
from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import Agent, CredentialKind, Person, PersonSource, Role
from clearance.gateway.app import ENDPOINTS
from clearance.gateway.endpoint import Access, Endpoint, Form
from clearance.gateway.serve import create_app
from clearance.wiring import Assembly, assemble, utc_now

pytestmark = pytest.mark.servers

PAGE = Path(__file__).parents[2] / "docs/people.md"
WHO = ("nobody", "agent", *(role.value for role in Role))
_STREAM_SECONDS = 1.0
REFUSED = {"unauthenticated", "forbidden"}


def _table() -> dict[tuple[str, str], frozenset[str]]:
    """Each `METHOD /path` of the page's table -> who may."""
    table: dict[tuple[str, str], frozenset[str]] = {}
    for row in re.findall(r"^\| (`[A-Z]+ /.+) \|$", PAGE.read_text(encoding="utf-8"), re.M):
        named, *marks = (cell.strip() for cell in row.split("|"))
        assert len(marks) == len(WHO), row
        assert set(marks) <= {"yes", "no"}, row
        may = frozenset(who for who, mark in zip(WHO, marks, strict=True) if mark == "yes")
        for method, path in re.findall(r"`([A-Z]+) (/[^`]*)`", named):
            assert (method, path) not in table, f"{method} {path} stands there twice"
            table[method, path] = may
    return table


TABLE = _table()


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return assemble(Settings(store="memory"))


@pytest.fixture(scope="module")
def keys(assembly: Assembly) -> dict[str, str]:
    """A credential for each of WHO."""
    at, state, made = utc_now(), assembly.state, {"nobody": ""}
    state.agents.add_agent(Agent(name="billing", created_at=at))
    made["agent"], stored = new_key("billing", at=at)
    state.credentials.add_credential(stored)
    for role in Role:
        name = f"only-{role.value}"
        state.people.add_person(Person(name=name, created_at=at, roles=(role,), source=PersonSource.SERVICE))
        made[role.value], stored = new_key(name, at=at, kind=CredentialKind.SERVICE_TOKEN)
        state.credentials.add_credential(stored)
    return made


def test_the_page_has_a_row_for_every_endpoint_and_no_other() -> None:
    assert set(TABLE) == {(one.method, one.path) for one in ENDPOINTS}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
async def test_every_endpoint_answers_those_whom_the_page_names_and_nobody_else(
    endpoint: Endpoint, assembly: Assembly, keys: dict[str, str]
) -> None:
    transport = httpx.ASGITransport(create_app(assembly))
    is_stream = endpoint.form is Form.EVENTS
    path = re.sub(r"{[\w:]+}", "there-is-none", endpoint.path)
    async with httpx.AsyncClient(transport=transport, base_url="http://clearance.test") as http:
        for who in WHO:
            headers = {"authorization": f"Bearer {keys[who]}"} if keys[who] else {}
            # What is asked is nonsense: whoever may ask is told so, and nothing is changed by it.
            asking = http.request(endpoint.method, path, headers=headers, content=b"{")
            try:
                answer = await asyncio.wait_for(asking, _STREAM_SECONDS if is_stream else None)
            except TimeoutError:  # a stream goes on: whoever hears it may
                code = ""
            else:
                is_json = answer.headers["content-type"] == "application/json"
                told = answer.json() if is_json else answer.text
                code = told.get("error", {}).get("code", "") if isinstance(told, dict) else ""
                if code in REFUSED:
                    assert answer.status_code == (401 if who == "nobody" else 403), who
            assert (code not in REFUSED) == (who in TABLE[endpoint.method, endpoint.path]), (who, code)


def test_no_role_is_nobodys_business_by_accident() -> None:
    """What changes people, tokens, agents or policies is an admin's, whatever the page says."""
    for one in ENDPOINTS:
        rules = one.path.startswith(("/v1/people", "/v1/tokens", "/v1/sessions"))
        if rules and one.method != "GET":
            assert one.access is Access.ADMIN, one.path
            assert TABLE[one.method, one.path] == {"admin"}, one.path


async def test_only_who_audits_reads_the_administrative_run_and_an_agent_never(
    assembly: Assembly, keys: dict[str, str]
) -> None:
    assembly.audit.record("person.add", by="billing", target="somebody")  # as if by an agent: still not its
    may_read = TABLE["GET", "/v1/audit"]
    assert may_read == {"auditor", "admin"}
    transport = httpx.ASGITransport(create_app(assembly))
    async with httpx.AsyncClient(transport=transport, base_url="http://clearance.test") as http:
        for who in WHO[1:]:
            http.headers["authorization"] = f"Bearer {keys[who]}"
            traced = await http.get(f"/v1/runs/{ADMINISTRATION_RUN}/trace")
            assert (traced.status_code == 200) == (who in may_read), who
            assert (await http.get(f"/v1/runs/{ADMINISTRATION_RUN}")).status_code == 404, who
            listed = (await http.get("/v1/runs")).json()["runs"]
            assert ADMINISTRATION_RUN not in {run["run_id"] for run in listed}, who
            for query in ({}, {"run_id": ADMINISTRATION_RUN}, {"kind": "administration"}):
                found = (await http.get("/v1/records", params=query)).json()["records"]
                runs = {record["run_id"] for record in found}
                assert (ADMINISTRATION_RUN in runs) == (who in may_read), (who, query)
