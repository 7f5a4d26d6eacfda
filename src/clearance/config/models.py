"""The model proxy's part of clearance.yaml: upstreams, which model goes where, what it costs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Money = Annotated[float, Meta(ge=0)]


class Upstream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider, or any server that speaks its wire format. Its key never leaves this process.

    `base_url` is what an SDK would be given (`https://api.openai.com/v1`, `https://api.anthropic.com`,
    `https://NAME.openai.azure.com`). The key stands in an environment variable or a file, never here.
    """

    base_url: str
    kind: Literal["openai", "anthropic", "azure"] = "openai"
    key_env: str = ""
    key_file: str = ""
    headers: dict[str, str] = {}
    api_version: str = ""  # azure's `api-version`, where the client sends none
    proxy: str = ""  # http://host:port of a CONNECT proxy on the way out
    ca_file: str = ""
    connect_timeout_seconds: Seconds = 5.0
    timeout_seconds: Seconds = 600.0  # between two bytes of an answer
    attempts: Annotated[int, Meta(ge=1, le=10)] = 2
    open_after_failures: Annotated[int, Meta(ge=1)] = 5  # the circuit breaker: so many in a row …
    open_seconds: Seconds = 10.0  # … and this long nobody tries
    most_connections: Annotated[int, Meta(ge=1, le=10_000)] = 256


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which upstreams serve a model, tried in order. `model` is a glob; the first route that fits counts."""

    model: str
    upstreams: tuple[str, ...]
    send_as: str = ""  # the upstream's name for it, where that is another


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a million tokens."""

    input: Money
    output: Money
    cached_input: Money | None = None


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `models:` mapping. Without upstreams the door is closed.

    Without `routes`, a model goes to the upstreams of the kind whose wire format the client speaks, as
    written. `prices` are by glob; a model without one costs an unknown amount, which meets every budget.
    """

    upstreams: dict[str, Upstream] = {}
    routes: tuple[Route, ...] = ()
    prices: dict[str, Price] = {}
    most_body_bytes: Annotated[int, Meta(ge=1024)] = 32 << 20  # of a request, and of an answer
    reserve_output_tokens: Annotated[int, Meta(ge=0)] = 4096  # held back for a call that names no maximum
    tool_prefixes: tuple[str, ...] = ("mcp__clearance__",)  # what clients write before names of our MCP tools
