"""What a message of MCP asks for, as an action: `SERVER__TOOL`, or `SERVER__` and what else it is. Pure."""

from __future__ import annotations

from typing import Any, Final

from clearance.core.dialects.mcp import Request
from clearance.core.model import ActionCall, Environment, ObligationKind, Operation
from clearance.errors import RequestError

SEPARATOR: Final = "__"
MOST_NAME: Final = 128  # characters of a tool's or a prompt's name (SEP-986)
_MOST_URI: Final = 4_096

TOOL_CALL: Final = "tools/call"
LISTS: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
# Nothing is done, or read that is not told of every server.
PASSING: Final = frozenset(
    {"initialize", "server/discover", "ping", "logging/setLevel", "resources/unsubscribe", *LISTS}
)
FROM_CLIENT: Final = frozenset(
    {
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
    }
)
FROM_SERVER: Final = frozenset(
    {
        "notifications/cancelled",
        "notifications/progress",
        "notifications/message",
        "notifications/resources/updated",
        "notifications/resources/list_changed",
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/elicitation/complete",
        "notifications/subscriptions/acknowledged",
    }
)
# What a server asks of a client: the model behind it, the person before it, its directories.
_SERVER_ASKS: Final = {
    "sampling/createMessage": ("sampling", Operation.MODEL_CALL),
    "elicitation/create": ("elicitation", Operation.READ),
    "roots/list": ("roots", Operation.READ),
}
_READS: Final = {
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "prompts/get": "name",
    "completion/complete": "ref",
}

# Whatever a server answers is judged before the client sees it; what has no answer shows nothing.
_INSPECTED: Final = (ObligationKind.INSPECT,)


def client_action(server: str, request: Request, environment: Environment | None) -> ActionCall | None:
    """What a client's request would do; None for one that does nothing. Raises RequestError."""
    method, params = request.method, request.params
    if "task" in params or method.startswith("tasks/"):
        raise RequestError("Tasks are not carried here: call the tool directly.", reason="mcp_method_unknown")
    if method in PASSING:
        return None
    if method == TOOL_CALL:
        arguments = params.get("arguments", {})
        if not isinstance(arguments, dict):
            raise RequestError("The arguments of a tool are an object.", reason="wrong_type")
        name = _text(params, "name", most=MOST_NAME)
        return _call(server, name, arguments, environment)
    if method == "subscriptions/listen":
        return _listening(server, params, environment)
    if method in _READS:
        return _reading(server, method, params, environment)
    raise _unknown(method)


def server_action(
    server: str, method: str, params: dict[str, Any], environment: Environment | None
) -> ActionCall:
    """What a server asks of the client. Raises RequestError for what it may not ask."""
    if method not in _SERVER_ASKS or "task" in params:
        raise _unknown(method)
    name, operation = _SERVER_ASKS[method]
    return _call(server, name, params, environment, operation=operation, honours=_INSPECTED)


def answer_action(
    server: str, answer: dict[str, Any], environment: Environment | None, *, method: str = ""
) -> ActionCall:
    """What the client answers: it leaves for the server. Without the method, told by its form."""
    name = _SERVER_ASKS[method][0] if method else _kind_of(answer)
    return _call(server, f"{name}_answer", answer, environment, operation=Operation.SEND)


def namespaced(server: str, name: str) -> str:
    """The name that policies, records and the endpoint of all servers use."""
    return f"{server}{SEPARATOR}{name}"


def _call(
    server: str,
    name: str,
    arguments: dict[str, Any],
    environment: Environment | None,
    *,
    operation: Operation | None = None,
    resource: str | tuple[str, ...] = (),
    honours: tuple[ObligationKind, ...] = (ObligationKind.TRANSFORM, ObligationKind.INSPECT),
) -> ActionCall:
    return ActionCall(
        action=namespaced(server, name),
        arguments=arguments,
        operation=operation,
        resource=resource,
        environment=environment,
        honours=honours,
    )


def _reading(server: str, method: str, params: dict[str, Any], environment: Environment | None) -> ActionCall:
    member = _READS[method]
    resource: str | tuple[str, ...] = ()
    if member != "ref":
        value = _text(params, member, most=_MOST_URI if member == "uri" else MOST_NAME)
        resource = value if member == "uri" else ()
    arguments = {
        name: value
        for name, value in params.items()
        if name not in ("_meta", "inputResponses", "requestState")
    }
    name = method.replace("/", "_")
    # What is read is named, not chosen in a form that a policy could rewrite.
    return _call(
        server, name, arguments, environment, operation=Operation.READ, resource=resource, honours=_INSPECTED
    )


def _listening(server: str, params: dict[str, Any], environment: Environment | None) -> ActionCall | None:
    """Hearing that a list changed does nothing; hearing of a resource is reading it."""
    wanted = params.get("notifications", {})
    uris = wanted.get("resourceSubscriptions") if isinstance(wanted, dict) else None
    if not uris:
        return None
    if not isinstance(uris, list) or not all(isinstance(uri, str) and len(uri) <= _MOST_URI for uri in uris):
        raise RequestError("`resourceSubscriptions` is a list of URIs.", reason="wrong_type")
    return _call(
        server,
        "subscriptions_listen",
        {"uris": uris},
        environment,
        operation=Operation.READ,
        resource=tuple(uris),
        honours=_INSPECTED,
    )


def _text(params: dict[str, Any], name: str, *, most: int) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"`{name}` is missing, or no text.", reason="missing_field")
    if len(value) > most:
        raise RequestError(f"`{name}` is longer than {most} characters.", reason="wrong_value")
    return value


def _kind_of(answer: dict[str, Any]) -> str:
    if "roots" in answer:
        return "roots"
    return "sampling" if "role" in answer or "model" in answer else "elicitation"


def _unknown(method: str) -> RequestError:
    shown = method[:64] if method.isascii() and method.isprintable() else "of that name"
    return RequestError(
        f"The method {shown} is not known here, and what cannot be judged is not carried.",
        reason="mcp_method_unknown",
    )
