"""The environment of a program behind all doors: addresses, the agent's key, certificates. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote, urlsplit

from clearance.cli.running.doors import Doors

_HERE = ("localhost", "127.0.0.1", "::1")
_CERTIFICATES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
)
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PROXIES = tuple(cased for name in (*_PROXY, "NO_PROXY") for cased in (name, name.lower()))


def environment(
    given: Mapping[str, str], doors: Doors, run_id: str, *, without: Collection[str], bundle: str
) -> dict[str, str]:
    """`given` without what is taken out, with what leads to the doors. `bundle`: certificates to trust."""
    taken = {*without, *_PROXIES}  # a proxy set elsewhere leads past the doors
    return {
        **{name: value for name, value in given.items() if name not in taken},
        **_control(doors, run_id),
        **_models(doors, run_id),
        **_egress(doors, run_id),
        **(dict.fromkeys(_CERTIFICATES, bundle) if bundle else {}),
    }


def _control(doors: Doors, run_id: str) -> dict[str, str]:
    return {
        "CLEARANCE_URL": doors.url,
        "CLEARANCE_API_KEY": doors.key,
        "CLEARANCE_RUN_ID": run_id,
        "CLEARANCE_MCP_URL": f"{doors.url}/r/{run_id}/mcp",
    }


def _models(doors: Doors, run_id: str) -> dict[str, str]:
    """Azure's client adds `/openai/deployments/…` itself. Anthropic's sends one credential: its key."""
    base = f"{doors.url}/r/{run_id}"
    return {
        "OPENAI_BASE_URL": f"{base}/openai/v1",
        "OPENAI_API_BASE": f"{base}/openai/v1",  # what LangChain and LiteLLM read
        "OPENAI_API_KEY": doors.key,
        "AZURE_OPENAI_ENDPOINT": base,
        "AZURE_OPENAI_API_KEY": doors.key,
        "ANTHROPIC_BASE_URL": f"{base}/anthropic",
        "ANTHROPIC_API_KEY": doors.key,
    }


def _egress(doors: Doors, run_id: str) -> dict[str, str]:
    host = urlsplit(doors.url).hostname or ""
    direct = ",".join(dict.fromkeys((host, *_HERE)))
    if not doors.egress_port:
        return {"NO_PROXY": direct, "no_proxy": direct}
    user, at = f"{run_id}:{quote(doors.key, safe='')}", _bracketed(doors.egress_host)
    proxy = f"http://{user}@{at}:{doors.egress_port}"
    values = dict.fromkeys(_PROXY, proxy) | {"NO_PROXY": direct}
    lower = {name.lower(): value for name, value in values.items()}
    return {**values, **lower, "NODE_USE_ENV_PROXY": "1"}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
