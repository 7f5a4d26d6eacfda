"""The gateways that calls go through: ours and the peers, of models and of MCP. Starts none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from benchmarks.harness import ours
from benchmarks.harness.mcp_upstream import REVISION, TOOL
from benchmarks.harness.peers import node_package, peer_python, peer_version
from benchmarks.harness.result import ROOT
from benchmarks.harness.side import Gateway

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o"
TOOLS_PATH = "/mcp"
_MODERN = (
    ("Accept", "application/json, text/event-stream"),
    ("MCP-Protocol-Version", REVISION),
    ("Mcp-Method", "tools/call"),
    ("Mcp-Name", TOOL),
)
_NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; client_body_buffer_size 1m; client_max_body_size 32m;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_buffering off; }}
  }}
}}
"""


def clearance(directory: Path, upstream: int, key: str) -> Gateway:
    """`clearance serve` with the model door open, on a store of its own."""
    provider: dict[str, Any] = {
        "base_url": f"http://127.0.0.1:{upstream}/v1",
        "key_env": "BENCH_PROVIDER_KEY",
    }
    provider["most_connections"] = 1024
    prices = {"*": {"input": 2.5, "output": 10}}
    settings = {"models": {"upstreams": {"provider": provider}, "prices": prices}}
    return Gateway(
        "clearance",
        ours.command(directory, settings),
        f"/openai{CHAT}",
        (("Authorization", f"Bearer {key}"),),
        (("BENCH_PROVIDER_KEY", "sk-bench"), *ours.environment(directory)),
    )


def nginx(directory: Path, upstream: int) -> Gateway:
    """The limit: a proxy in C that looks at nothing. Raises RuntimeError where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    text = _NGINX.replace("{port}", "PORT").format(directory=directory, upstream=upstream)
    template = directory / "nginx.template"
    template.write_text(text, encoding="utf-8")
    config = directory / "nginx.conf"
    start = f"sed s/PORT/{{port}}/ {template} > {config} && exec {program} -c {config}"
    return Gateway("nginx proxy_pass", ("sh", "-c", start), CHAT)


def litellm(directory: Path, upstream: int) -> Gateway:
    """Its proxy with one worker, its one master key and no database: nothing is recorded."""
    provider = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{upstream}/v1",
        "api_key": "sk-bench",
    }
    key = f"sk-{token_hex(24)}"  # it starts with none that is weak
    settings = {
        "model_list": [{"model_name": MODEL, "litellm_params": provider}],
        "general_settings": {"master_key": key},
    }
    config = directory / "litellm.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    python = peer_python("gateways")
    return Gateway(
        f"{peer_version('litellm', 'gateways')}, proxy",
        (
            str(python.with_name("litellm")),
            "--config",
            str(config),
            "--port",
            "{port}",
            "--host",
            "127.0.0.1",
        ),
        CHAT,
        (("Authorization", f"Bearer {key}"),),
        (("LITELLM_LOCAL_MODEL_COST_MAP", "True"), ("LITELLM_LOG", "ERROR")),
        is_slow=True,
    )


def portkey(upstream: int) -> Gateway:
    """Its open-source gateway: no key is looked up, nothing is recorded."""
    package = node_package("portkey", "@portkey-ai/gateway")
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    headers = (
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", f"http://127.0.0.1:{upstream}/v1"),
        ("Authorization", "Bearer sk-bench"),
    )
    node = shutil.which("node") or "node"
    command = (node, str(package / "build/start-server.js"), "--port={port}", "--headless")
    return Gateway(f"Portkey gateway {version}", command, CHAT, headers, is_slow=True)


def mcp_clearance(directory: Path, upstream: int, key: str) -> Gateway:
    """`clearance serve` with the MCP door open. Results are labelled, as they are by default."""
    server = {"url": f"http://127.0.0.1:{upstream}{TOOLS_PATH}", "environment": "sandbox"}
    return Gateway(
        "clearance",
        ours.command(directory, {"mcp": {"servers": {"bench": server}}}),
        f"{TOOLS_PATH}/bench",
        (*_MODERN, ("Authorization", f"Bearer {key}")),
        ours.environment(directory),
    )


def mcp_direct() -> Gateway:
    """The MCP server itself."""
    return Gateway("the MCP server itself", path=TOOLS_PATH, headers=_MODERN)


def fastmcp(upstream: int, kind: str) -> Gateway:
    """Its proxy, as `kind` of benchmarks/gateways/fastmcp_proxy.py says: nothing is checked nor recorded."""
    command = _of_python("fastmcp_proxy.py", upstream)
    return _tools_peer(f"{peer_version('fastmcp', 'gateways')} create_proxy, {kind} client", (*command, kind))


def mcp_sdk(upstream: int) -> Gateway:
    """The SDK's own server and client, as benchmarks/gateways/mcp_sdk_proxy.py puts them together."""
    command = _of_python("mcp_sdk_proxy.py", upstream)
    return _tools_peer(f"{peer_version('mcp', 'gateways')} SDK, server and connected client", command)


def _of_python(program: str, upstream: int) -> tuple[str, ...]:
    path = ROOT / "benchmarks" / "gateways" / program
    url = f"http://127.0.0.1:{upstream}{TOOLS_PATH}"
    return (str(peer_python("gateways")), str(path), "{port}", url)


def _tools_peer(name: str, command: tuple[str, ...]) -> Gateway:
    return Gateway(
        name,
        command,
        TOOLS_PATH,
        _MODERN,
        (("PYTHONPATH", ""),),
        is_slow=True,
    )
