"""The MCP proxy's part of clearance.yaml: which servers stand behind it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from clearance.config.identity import is_safe_url
from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem

ServerName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What the proxy itself says to a server; a setting would make two of them.
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept", "accept-encoding"}
)


class McpServer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One MCP server: a `command` that is started and spoken to on stdio, or the `url` of a running one.

    `env` and `headers` may hold `${NAME}`, replaced from the environment; nothing else of ours reaches it.
    With `label: false` nothing is added to its results: what no rule changes stays the same bytes.
    """

    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    directory: str = ""
    url: str = ""
    headers: dict[str, str] = {}
    environment: Literal["", "production", "staging", "sandbox", "unknown"] = ""  # where its tools work
    trust: Literal["trusted", "untrusted"] = "untrusted"  # what is said of its results
    label: bool = True
    pins: Literal["first", "required"] = "first"  # a tool's first sight pins it, or a person does
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    wait_seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0  # how long a held call waits for its answer

    @property
    def place(self) -> Environment | None:
        """Where its tools work, where that is said."""
        return Environment(self.environment) if self.environment else None


class McpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `mcp:` mapping. Each server is at `/mcp/NAME`; all of them, tools as `NAME__tool`, at `/mcp`.

    `origins` are those of web pages that may use the door (`https://app.example`); without any, none may.
    """

    servers: dict[ServerName, McpServer] = {}
    origins: tuple[str, ...] = ()


_Wrong = Callable[[str], None]


def read_mcp(value: Any, *, file: str) -> tuple[McpSettings, list[Problem]]:
    """What stands there, and everything that is wrong with it."""
    problems: list[Problem] = []

    def wrong(text: str) -> None:
        problems.append(Problem("wrong_value", f"mcp: {text}", file))

    if not isinstance(value, Mapping):
        wrong("must be a mapping")
        return McpSettings(), problems
    for key in value:
        if key not in McpSettings.__struct_fields__:
            wrong(f"`{key}` is not a setting; known: {', '.join(McpSettings.__struct_fields__)}")
    given = value.get("servers") or {}
    if not isinstance(given, Mapping):
        wrong("`servers` must be a mapping of names to servers")
        given = {}
    servers = {str(name): _server(str(name), one, wrong) for name, one in given.items()}
    folded = [name.lower() for name in servers]
    for name in sorted({name for name in folded if folded.count(name) > 1}):
        wrong(f"two servers are named `{name}` but for the case of letters: rules could not tell them apart")
    origins = _origins(value.get("origins") or (), wrong)
    known = {name: server for name, server in servers.items() if server is not None}
    return McpSettings(servers=known, origins=origins), problems


def require_variables(servers: Mapping[str, McpServer], *, file: str = "clearance.yaml") -> None:
    """Whoever starts or asks these servers needs them; the rest of the command line does not.

    Raises ConfigurationError with every environment variable that is not set.
    """
    problems = [
        Problem("missing_variable", f"mcp: server `{name}`: the variable {variable} is not set", file)
        for name, server in servers.items()
        for value in (*server.headers.values(), *server.env.values())
        for variable in _VARIABLE.findall(value)
        if variable not in os.environ
    ]
    if problems:
        raise ConfigurationError(problems)


def with_variables(text: str, environment: Mapping[str, str]) -> str:
    """`${NAME}` replaced. Raises KeyError for one that is not set."""
    return _VARIABLE.sub(lambda found: environment[found[1]], text)


def _server(name: str, value: Any, wrong_of_all: _Wrong) -> McpServer | None:
    """A server whose every field fits, or None, and then told why."""

    def wrong(text: str) -> None:
        wrong_of_all(f"server `{name}`: {text}")

    if not _NAME.fullmatch(name):
        wrong("a name is up to 32 letters, digits and `-`, and begins with a letter or a digit")
    if not isinstance(value, Mapping):
        wrong("must be a mapping with `command` or `url`")
        return None
    listed = {key: [one] if key == "command" and isinstance(one, str) else one for key, one in value.items()}
    fits = True
    for field in msgspec.structs.fields(McpServer):
        if field.name in listed and not _converts(listed[field.name], field.type):
            wrong(f"`{field.name}` has a value of the wrong type, or one that is not known")
            fits = False
    for key in sorted(set(map(str, listed)) - set(McpServer.__struct_fields__)):
        wrong(f"`{key}` is not a setting; known: {', '.join(McpServer.__struct_fields__)}")
        fits = False
    if not fits:
        return None
    server = msgspec.convert(listed, McpServer)
    _check(server, wrong)
    return server


def _converts(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _check(server: McpServer, wrong: _Wrong) -> None:
    if bool(server.command) == bool(server.url):
        wrong("needs `command` (a server that is started here) or `url` (one that runs), and not both")
    if server.url:
        _check_url(server, wrong)
    for name in sorted(server.headers):
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("mcp-"):
            wrong(f"`headers`: `{name}` is no header's name, or one that the proxy sets itself")
    for setting, values in (("headers", server.headers), ("env", server.env)):
        for name, value in sorted(values.items()):
            if not value.isprintable():
                wrong(f"`{setting}`: `{name}` holds a line end or another character that cannot be sent")


def _check_url(server: McpServer, wrong: _Wrong) -> None:
    if server.env or server.directory:
        wrong("`env` and `directory` are for a `command`; a server with a `url` is not started here")
    if not is_safe_url(server.url):
        is_plain = urlsplit(server.url).scheme == "http" if "://" in server.url else False
        if is_plain and not server.headers and _is_url(server.url):
            return  # a server of one's own network, which is given no secret
        hint = " (http only without `headers`: they would cross the network in the clear)" if is_plain else ""
        wrong(f"`url` must be an http or https URL without user, query and fragment{hint}")


def _is_url(url: str) -> bool:
    """Whether it would do, were it https."""
    return is_safe_url(url.replace("http://", "https://", 1))


def _origins(value: Any, wrong: _Wrong) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        wrong("`origins` must be a list")
        return ()
    for one in listed:
        if not isinstance(one, str) or not is_safe_url(one) or urlsplit(one).path:
            wrong(f"origin `{one}` must be https://HOST[:PORT] (http on loopback only), without a path")
    return tuple(str(one) for one in listed)
