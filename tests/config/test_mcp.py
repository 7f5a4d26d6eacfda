"""`mcp:` of clearance.yaml: everything that is wrong with it is told at once."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.config.mcp import McpServer, read_mcp, require_variables, with_variables
from clearance.errors import ConfigurationError

FILE = "clearance.yaml"


def wrong(value: Any) -> list[str]:
    _, problems = read_mcp(value, file=FILE)
    return [problem.message for problem in problems]


def test_servers_are_read() -> None:
    settings, problems = read_mcp(
        {
            "servers": {
                "files": {
                    "command": ["npx", "server"],
                    "env": {"TOKEN": "${T}"},
                    "environment": "production",
                },
                "git": {"command": "git-server"},
                "web": {"url": "https://mcp.example/mcp", "headers": {"authorization": "Bearer ${T}"}},
                "near": {"url": "http://10.0.0.7:8000/mcp", "pins": "required", "label": False},
            },
            "origins": ["https://app.example"],
        },
        file=FILE,
    )
    assert problems == []
    assert list(settings.servers) == ["files", "git", "web", "near"]
    assert settings.servers["git"].command == ("git-server",)
    assert settings.servers["files"].place == "production"
    assert settings.servers["web"] == McpServer(
        url="https://mcp.example/mcp", headers={"authorization": "Bearer ${T}"}
    )
    assert with_variables("Bearer ${T}", {"T": "secret"}) == "Bearer secret"


def test_whoever_opens_a_server_is_told_every_variable_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THERE", "secret")
    servers = {
        "one": McpServer(url="https://a.example", headers={"a": "${THERE}", "b": "${NOT_THERE}"}),
        "two": McpServer(command=("x",), env={"A": "${NOR_THIS}"}),
    }
    with pytest.raises(ConfigurationError) as told:
        require_variables(servers)
    assert [problem.message for problem in told.value.problems] == [
        "mcp: server `one`: the variable NOT_THERE is not set",
        "mcp: server `two`: the variable NOR_THIS is not set",
    ]


def test_all_problems_are_told_together() -> None:
    told = wrong(
        {
            "server": {},
            "servers": {
                "bad name": {"url": "https://a.example"},
                "neither": {},
                "both": {"url": "https://a.example", "command": ["x"]},
                "plain": {"url": "http://mcp.example", "headers": {"authorization": "x"}},
                "typo": {"url": "https://a.example", "timout_seconds": 3},
                "kind": {"url": "https://a.example", "trust": "maybe"},
                "ours": {
                    "url": "https://a.example",
                    "headers": {"Mcp-Name": "x", "a b": "c", "ok": "a\r\nb"},
                },
                "text": "https://a.example",
                "NEITHER": {"command": ["x"]},
            },
            "origins": ["https://app.example/path", 7],
        }
    )
    for part in (
        "`server` is not a setting",
        "server `bad name`: a name is",
        "server `neither`: needs `command`",
        "server `both`: needs `command`",
        "server `plain`: `url` must be",
        "server `typo`: `timout_seconds` is not a setting",
        "server `kind`: `trust` has a value",
        "server `ours`: `headers`: `Mcp-Name`",
        "server `ours`: `headers`: `a b`",
        "server `ours`: `headers`: `ok` holds a line end",
        "server `text`: must be a mapping",
        "two servers are named `neither` but for the case",
        "origin `https://app.example/path`",
        "origin `7`",
    ):
        assert any(one.startswith(f"mcp: {part}") for one in told), part
    assert wrong([]) == ["mcp: must be a mapping"]
