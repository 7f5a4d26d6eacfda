"""Our side of the doors' claims: `clearance serve` with all on that a deployment has. Starts nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness.result import ROOT
from benchmarks.harness.server import Server

POLICIES = (
    "the defaults; lists of models and of tools; budgets of tokens, dollars and calls; secrets in answers"
)
_MODEL_CALLS = {"match": {"operation": "model_call"}, "of": "agent", "seconds": 86_400}
_TOOL_CALLS = {"match": {"tool": "*__*"}, "of": "agent", "seconds": 1}
_MORE: list[dict[str, Any]] = [  # none of them fires
    {
        "name": "only_these_models",
        "rule": "block",
        "at": "pre_model_call",
        "condition": {"none": [{"resource": "model:gpt-4o*"}]},
    },
    {
        "name": "tokens_of_a_day",
        "rule": "block",
        "at": "pre_model_call",
        "condition": {"sum_within": {"fact": "total_tokens", "exceeds": 10**12, **_MODEL_CALLS}},
    },
    {
        "name": "dollars_of_a_day",
        "rule": "block",
        "at": "pre_model_call",
        "condition": {"sum_within": {"fact": "cost_usd", "exceeds": 10**9, **_MODEL_CALLS}},
    },
    {
        "name": "no_secrets_in_answers",
        "rule": "redact",
        "at": "post_model_call",
        "redact": {"patterns": ["secret"]},
    },
    {
        "name": "only_these_tools",
        "rule": "block",
        "at": "pre_tool_call",
        "condition": {"none": [{"tool": "bench__*"}, {"tool": "http_tunnel"}]},
    },
    {
        "name": "calls_of_a_second",
        "rule": "block",
        "at": "pre_tool_call",
        "condition": {"count_within": {"exceeds": 10_000, **_TOOL_CALLS}},
    },
    {
        "name": "no_secrets_from_tools",
        "rule": "redact",
        "at": "post_tool_call",
        "condition": {"tool": "bench__*"},  # a tunnel's result cannot be looked at, and would be refused
        "redact": {"patterns": ["secret"]},
    },
]


def command(directory: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """Of the server in DIRECTORY, with its store on disk there. Writes its settings."""
    (directory / "clearance.yaml").write_text(json.dumps(settings), encoding="utf-8")
    serve = ("--store", str(directory / "store"), "serve", "--port", "{port}")
    return (sys.executable, "-W", "ignore", "-m", "clearance", *serve)


def environment(directory: Path) -> tuple[tuple[str, str], ...]:
    """What it is started with: the policies, and this tree's code."""
    code = os.environ.get("PYTHONPATH", str(ROOT / "src"))
    return (("PYTHONPATH", code), ("CLEARANCE_POLICIES", str(_policies(directory))))


def agent_key(store: Path) -> str:
    """A key, made in the store before the server opens it."""
    from clearance.adapters.identity import new_key
    from clearance.adapters.store import SqliteState
    from clearance.core.model import Agent
    from clearance.wiring import utc_now

    state = SqliteState(store)
    state.agents.add_agent(Agent(name="bench", created_at=utc_now()))
    key, stored = new_key("bench", at=utc_now())
    state.credentials.add_credential(stored)
    state.close()
    return key


def start_runs(server: Server, key: str, count: int) -> list[str]:
    """Their names: one for each connection, as each agent would have."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        answers = [client.post("/v1/runs", json={"goal": "settle refunds"}) for _ in range(count)]
    return [answer.raise_for_status().json()["run_id"] for answer in answers]


def _policies(directory: Path) -> Path:
    """Beside the defaults, which are in the store."""
    path = directory / "policies.yaml"
    path.write_text(json.dumps({"version": 1, "policies": _MORE}), encoding="utf-8")
    return path
