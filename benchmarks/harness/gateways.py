"""The gateways that a model call goes through: ours and the peers, each on one core, before one upstream."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import yaml

from benchmarks.harness.peers import node_package, peer_python, peer_version
from benchmarks.harness.result import ROOT

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o"
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


@dataclass(frozen=True, slots=True)
class Gateway:
    """`command` with `{port}`; where it takes calls, and what it wants of their headers."""

    name: str
    command: tuple[str, ...]
    path: str = CHAT
    headers: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def ours(directory: Path, upstream: int, key: str) -> Gateway:
    """`clearance serve` with the model door open, on a store of its own."""
    provider = {"base_url": f"http://127.0.0.1:{upstream}/v1", "key_env": "BENCH_PROVIDER_KEY"}
    prices = {"*": {"input": 2.5, "output": 10}}
    settings = {"models": {"upstreams": {"provider": provider}, "prices": prices}}
    (directory / "clearance.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    serve = (
        "-W",
        "ignore",
        "-m",
        "clearance",
        "--store",
        str(directory / "store"),
        "serve",
        "--port",
        "{port}",
    )
    return Gateway(
        "clearance",
        (sys.executable, *serve),
        f"/openai{CHAT}",
        (("Authorization", f"Bearer {key}"),),
        (("BENCH_PROVIDER_KEY", "sk-bench"), ("PYTHONPATH", os.environ.get("PYTHONPATH", str(ROOT / "src")))),
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
    return Gateway("nginx proxy_pass", ("sh", "-c", start))


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
        f"litellm proxy ({peer_version('litellm', 'gateways')})",
        (
            str(python.with_name("litellm")),
            "--config",
            str(config),
            "--port",
            "{port}",
            "--host",
            "127.0.0.1",
        ),
        headers=(("Authorization", f"Bearer {key}"),),
        environment=(("LITELLM_LOCAL_MODEL_COST_MAP", "True"), ("LITELLM_LOG", "ERROR")),
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
    return Gateway(f"Portkey gateway ({version})", command, headers=headers)
