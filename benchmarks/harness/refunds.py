"""The action that is measured, and the same rules about it for both sides. None of the rules fires on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearance import Client

TOOL = "refund_0"

_TOOLS = 50  # tools that the rules speak of; every fiftieth rule is about the tool that is called
_LIMIT = 1_000

Refund = Callable[[int], object]  # told which call it is


def arguments(index: int) -> dict[str, Any]:
    """Of the call of this number: within every limit."""
    return {"amount": index % 50, "order": "o-4711"}


@contextmanager
def guarded(directory: str, count: int, *, store: str = "store") -> Iterator[tuple[Client, Refund]]:
    """Our side under `count` rules, its store on disk, or `memory`. The call belongs to the current run."""
    from clearance import Client, guard

    path = store if store == "memory" else Path(directory, store)
    with Client(path, agent="bench", policies=write_ours(count, directory)) as client:

        @guard(client=client, tool=TOOL, operation="update")
        def refund(amount: int, order: str) -> dict[str, Any]:
            return {"order": order, "refunded": amount}

        yield client, lambda index: refund(**arguments(index))


def governed(count: int) -> Refund:
    """The toolkit's side under `count` rules."""
    refund = governed_function(count)
    return lambda index: refund(action=TOOL, **arguments(index))


def governed_function(count: int) -> Callable[..., Any]:
    """To be told `action=` by keyword: without it, no rule of the toolkit's would see the tool's name."""
    from agentmesh.governance import govern

    def refund(action: str, amount: int, order: str) -> dict[str, Any]:  # noqa: ARG001
        return {"order": order, "refunded": amount}

    function: Callable[..., Any] = govern(refund, policy=for_agt(count))
    return function


def write_ours(count: int, directory: str) -> str:
    """A policy file of `count` rules. Returns its path."""
    policies = [
        {
            "name": f"limit_{index}",
            "rule": "block",
            "condition": {"tool": tool, "argument": {"amount": {"exceeds": limit}}},
        }
        for index, tool, limit in _limits(count)
    ]
    path = Path(directory, "policies.yaml")
    path.write_text(json.dumps({"version": 1, "policies": policies}), encoding="utf-8")
    return str(path)


def for_agt(count: int) -> str:
    """The same for the toolkit. The tool comes first, where its `and` can stop soonest."""
    rules = [
        {
            "name": f"limit_{index}",
            "condition": f"action.type == '{tool}' and amount.value > {limit}",
            "action": "deny",
        }
        for index, tool, limit in _limits(count)
    ]
    return json.dumps(
        {"apiVersion": "governance.toolkit/v1", "name": "limits", "default_action": "allow", "rules": rules}
    )


def _limits(count: int) -> list[tuple[int, str, int]]:
    return [(index, f"refund_{index % _TOOLS}", _LIMIT + index) for index in range(count)]
