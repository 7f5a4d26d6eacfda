"""`mcp:` of clearance.yaml: everything that is wrong with it is told at once."""

from __future__ import annotations

from typing import Any

from clearance.config.mcp import McpServer, read_mcp, with_variables

FILE = "clearance.yaml"


def wrong(value: Any, **environment: str) -> list[str]:
    _, problems = read_mcp(value, file=FILE, environment=environment)
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
        environment={"T": "secret"},
    )
    assert problems == []
    assert list(settings.servers) == ["files", "git", "web", "near"]
    assert settings.servers["git"].command == ("git-server",)
    assert settings.servers["files"].place == "production"
    assert settings.servers["web"] == McpServer(
        url="https://mcp.example/mcp", headers={"authorization": "Bearer ${T}"}
    )
    assert with_variables("Bearer ${T}", {"T": "secret"}) == "Bearer secret"


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
                "unset": {"command": ["x"], "env": {"A": "${MISSING}"}},
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
        "server `unset`: `env`: `A` needs the environment variable MISSING",
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
