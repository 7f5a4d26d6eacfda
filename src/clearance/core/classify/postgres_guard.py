"""Whether a text reaches for what guards a session: the guard's schema and settings, triggers switched off.

A name that is put together at run time cannot be seen here; the session checks its own state besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clearance.core.classify.postgres_parse import Tree
from clearance.core.classify.postgres_walk import Scope, fields

SCHEMA: Final = "clearance_guard"
_SETTINGS: Final = "clearance"
_SWITCHES: Final = frozenset({"session_replication_role", "row_security"})
_RESETS_ALL = 6
_DISABLES: Final = frozenset({38, 39, 40, 41, 42, 43, 44, 45})  # AT_EnableTrig .. AT_DisableTrigUser


def touches(parsed: Tree, text: str) -> bool:
    """`text` is looked at as well: a body of code is one string to the parser, with its own quoting."""
    raw = parsed.SerializeToString().lower()
    if SCHEMA in text.lower() or SCHEMA.encode() in raw or b"session_replication_role" in raw:
        return True
    return any(_touches(node) for statement in parsed.stmts for node in _nodes(statement.stmt))


def _nodes(root: Tree) -> Iterator[Tree]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if node.DESCRIPTOR.name != "A_Const":
            stack.extend(child for child, _ in fields(node, _ANYWHERE))


_ANYWHERE = Scope()


def _touches(node: Tree) -> bool:
    match node.DESCRIPTOR.name:
        case "VariableSetStmt":
            return node.kind == _RESETS_ALL or _is_guards(node.name)
        case "DiscardStmt":
            return True
        case "AlterTableCmd":
            return node.subtype in _DISABLES
        case "RangeVar":
            return bool(node.relname == "pg_settings" and node.schemaname in ("", "pg_catalog"))
        case "FuncCall":
            return _sets_the_guard(node)
    return False


def _sets_the_guard(call: Tree) -> bool:
    if call.funcname[-1].string.sval != "set_config":
        return False
    first = call.args[0] if call.args else None
    if first is None or not first.HasField("a_const"):
        return True
    return _is_guards(first.a_const.sval.sval)


def _is_guards(setting: str) -> bool:
    return setting.lower().startswith(_SETTINGS) or setting.lower() in _SWITCHES
