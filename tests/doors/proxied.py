"""A server with its model proxy open, before a scripted model: for the tests of that door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import Server, make_server
from tests.servers.model import ScriptedModel

PROVIDER_KEY = "provider-key-0123456789"


@contextmanager
def proxied(directory: Path, model: ScriptedModel, **models: Any) -> Iterator[Server]:
    """`clearance serve` in a process of its own, whose every upstream is the scripted model."""
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / "provider.key"
    key.write_text(PROVIDER_KEY, encoding="utf-8")
    upstreams = {
        "openai": {"base_url": f"{model.url}/v1", "key_file": str(key)},
        "anthropic": {"base_url": model.url, "kind": "anthropic", "key_file": str(key)},
    }
    settings = {"models": {"upstreams": upstreams, **models}}
    (directory / "clearance.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    server = make_server(directory / "store")
    server.directory = directory
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.stop()


def records(server: Server, **wanted: str) -> list[dict[str, Any]]:
    """What the journal holds of the agent, newest first."""
    with server.http() as http:
        found: list[dict[str, Any]] = http.get("/v1/records", params=wanted).json()["records"]
    return found


def policy(server: Server, **given: Any) -> None:
    """Add one policy."""
    with server.http(admin=True) as http:
        answer = http.post("/v1/policies", json=given)
        assert answer.status_code == 201, answer.text
