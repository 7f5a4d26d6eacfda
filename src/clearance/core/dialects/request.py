"""What a request to a model asks for, in no provider's words: as much of it as a door has to know."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

Path = tuple[str | int, ...]


class ProviderTool(Struct, frozen=True, kw_only=True):
    """A tool that the provider itself would run: nobody can stop its calls later."""

    name: str
    arguments: dict[str, Any]


class ToolResult(Struct, frozen=True, kw_only=True):
    """What came of a tool call that an earlier answer asked for. `path` is where in the body it stands."""

    call_id: str
    value: Any
    path: Path
    failed: bool = False


class ModelRequest(Struct, frozen=True, kw_only=True):
    """`items` are the messages or input items, as they stand in the body under `items_in`.

    `offered` are the tools that the model may ask its caller for. `previous` names an answer that the
    provider keeps and goes on from. `has_nameless_results` where results do not say of which call they are.
    """

    model: str
    items: list[Any] = []
    items_in: str = "messages"
    offered: frozenset[str] = frozenset()
    provider_tools: tuple[ProviderTool, ...] = ()
    results: tuple[ToolResult, ...] = ()
    most_output: int | None = None
    choices: int = 1
    goal: str = ""
    previous: str = ""
    has_nameless_results: bool = False


def put_at(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The body with another value there; what is not on the way is shared."""
    return _put(body, path, value)  # type: ignore[no-any-return]


def _put(node: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    made: Any = dict(node) if isinstance(node, dict) else list(node)
    made[path[0]] = _put(made[path[0]], path[1:], value)
    return made
