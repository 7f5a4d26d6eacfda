"""The network doors. Here the HTTP API; the model, MCP and egress proxies come beside it."""

from clearance.gateway.serve import create_app, serve

__all__ = ["create_app", "serve"]
