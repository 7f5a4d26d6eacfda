"""People who answer holds in tests, and actions that are held."""

from __future__ import annotations

from typing import Any

import httpx

from clearance.adapters.identity import new_key
from clearance.adapters.store import SqliteState
from clearance.core.model import CredentialKind, Person, PersonSource, Role
from clearance.wiring import utc_now
from tests.conftest import Server

ASKS = {"rule": "require_approval", "condition": {"tool": "send_email"}}
ARGUMENTS = {"to": "a@b.example", "body": "hello", "password": "hunter2-planted"}


def token_of(server: Server, name: str, *roles: Role, teams: tuple[str, ...] = ()) -> str:
    """A new person's token, made on the store while the server runs."""
    state = SqliteState(server.store)
    at = utc_now()
    state.people.add_person(
        Person(name=name, created_at=at, roles=roles, teams=teams, source=PersonSource.SERVICE)
    )
    text, token = new_key(name, kind=CredentialKind.SERVICE_TOKEN, at=at)
    state.credentials.add_credential(token)
    state.close()
    return text


def agent_key_of(server: Server, name: str) -> str:
    """A new agent's key."""
    from clearance.core.model import Agent

    state = SqliteState(server.store)
    at = utc_now()
    state.agents.add_agent(Agent(name=name, created_at=at))
    text, key = new_key(name, at=at)
    state.credentials.add_credential(key)
    state.close()
    return text


def http_of(server: Server, token: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def held(agent: httpx.Client, **more: Any) -> dict[str, Any]:
    """The answer to one action that is held, in a run of its own."""
    body = {"action": "send_email", "arguments": {**ARGUMENTS, **more}}
    answer: dict[str, Any] = agent.post("/v1/actions", json=body).json()
    assert answer["hold_id"], answer
    return answer


def again(agent: httpx.Client, before: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The same action once more, with its hold."""
    body = {
        "action": "send_email",
        "arguments": {**ARGUMENTS, **more},
        "run_id": before["run_id"],
        "hold_id": before["hold_id"],
    }
    answer: dict[str, Any] = agent.post("/v1/actions", json=body).json()
    return answer
