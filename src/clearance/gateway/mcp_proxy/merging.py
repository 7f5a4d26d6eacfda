"""Answers of several MCP servers made one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from clearance.core.dialects.mcp import SESSIONS, STATELESS
from clearance.core.dialects.mcp_actions import namespaced
from clearance.errors import NotFoundError, RequestError

Answers = Mapping[str, Mapping[str, Any]]  # by server
_NAMED: Final = frozenset({"tools", "prompts"})
_TOGETHER: Final = ("tools", "resources", "prompts", "completions", "logging")  # what is served here


def merged_list(member: str, answers: Answers) -> dict[str, Any]:
    """One list. What may be kept, and for how long, is what the strictest of them says."""
    listed: list[Any] = []
    for server, result in answers.items():
        for one in result.get(member) or ():
            listed.append(_renamed(server, one) if member in _NAMED and isinstance(one, dict) else one)
    merged: dict[str, Any] = {member: listed}
    if any("resultType" in result for result in answers.values()):
        merged["resultType"] = "complete"
        merged["ttlMs"] = min((_whole(result.get("ttlMs")) for result in answers.values()), default=0)
        merged["cacheScope"] = "private"  # it is filtered for one agent
    return merged


def merged_greeting(method: str, answers: Answers) -> dict[str, Any]:
    """One `initialize`, or one `server/discover`: what any of them can do."""
    capabilities: dict[str, Any] = {}
    for result in answers.values():
        found = result.get("capabilities") or {}
        for name in _TOGETHER:
            if name in found:
                capabilities[name] = {}  # nothing unasked: no changes are told of here
    told = [str(result["instructions"]) for result in answers.values() if result.get("instructions")]
    about = {"name": "clearance", "version": version("clearance")}
    merged: dict[str, Any] = {"capabilities": capabilities}
    if told:
        merged["instructions"] = "\n\n".join(told)
    if method == "initialize":
        versions = [str(result.get("protocolVersion")) for result in answers.values()]
        oldest = min(versions, key=lambda one: SESSIONS.index(one) if one in SESSIONS else -1)
        return {**merged, "protocolVersion": oldest, "serverInfo": about}
    merged["_meta"] = {"io.modelcontextprotocol/serverInfo": about}
    merged |= {"supportedVersions": list(STATELESS), "resultType": "complete"}
    return {**merged, "ttlMs": 0, "cacheScope": "private"}


def owner_of(uri: object, listed: Mapping[str, Answers]) -> str:
    """The server that lists a resource, or a template that it fits. Raises RequestError, NotFoundError."""
    if not isinstance(uri, str):
        raise RequestError("`uri` is missing, or no text.", reason="missing_field")
    for member, fits in (("resources", _is), ("resourceTemplates", _begins)):
        owners = [
            server
            for server, result in listed[member].items()
            if any(isinstance(one, dict) and fits(one, uri) for one in result.get(member) or ())
        ]
        if len(owners) == 1:
            return owners[0]
        if owners:
            message = "Several servers have this resource: read it at the address of one (`/mcp/SERVER`)."
            raise RequestError(message, reason="mcp_server_unknown")
    raise NotFoundError("No MCP server lists this resource.")


def _is(resource: Mapping[str, Any], uri: str) -> bool:
    return resource.get("uri") == uri


def _begins(template: Mapping[str, Any], uri: str) -> bool:
    literal = str(template.get("uriTemplate", "{")).partition("{")[0]
    return bool(literal) and uri.startswith(literal)


def _renamed(server: str, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "name": namespaced(server, str(one.get("name", "")))}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
