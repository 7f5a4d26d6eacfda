"""The statements that change shapes, rights or the session and need a closer look: what they name, and where
they do not run inside a transaction."""

from __future__ import annotations

from typing import Any, Final

from clearance.core.classify.postgres_catalogue import Event, RelationKind
from clearance.core.classify.postgres_kinds import split_name, strings
from clearance.core.classify.postgres_parse import Tree, statements_of
from clearance.core.classify.postgres_walk import Children, Handler, Scope, Walk, fields, named
from clearance.core.model.action import Operation
from clearance.core.model.effects import EffectClass

_CHANGE_OWNER = 27
_RELATIONS: Final = frozenset(
    {19, 21, 24, 38, 42, 52}
)  # foreign table, index, view, sequence, table: ObjectType
_OF_WHOLES: Final = frozenset({3, 4, 5})  # REINDEX of a schema, the system, a database
_NO_TRANSACTION = "it cannot run inside a transaction"


def _drop(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.concurrent:
        walk.found.block(f"DROP INDEX CONCURRENTLY: {_NO_TRANSACTION}")
    for item in node.objects:
        parts = _parts(item)
        schema, name = split_name(parts)
        if node.remove_type in _RELATIONS:
            walk.touch(schema, name, scope, operation=Operation.DDL, event=None)
        elif parts:
            walk.found.name(".".join(named("", part) for part in parts), Operation.DDL)
    return [*walk.statement(node, scope)]


def _parts(item: Any) -> list[str]:
    match item.WhichOneof("node"):
        case "list":
            return strings(item.list.items)
        case "string":
            return [item.string.sval]
        case "type_name":
            return strings(item.type_name.names)
        case "object_with_args":
            return strings(item.object_with_args.objname)
    return []


def _index(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.concurrent:
        walk.found.block(f"CREATE INDEX CONCURRENTLY: {_NO_TRANSACTION}")
    return walk.statement(node, scope)


def _reindex(walk: Walk, node: Tree, scope: Scope) -> Children:
    options = {item.def_elem.defname for item in node.params}
    if "concurrently" in options or node.kind in _OF_WHOLES:
        walk.found.block(f"REINDEX of a whole, or CONCURRENTLY: {_NO_TRANSACTION}")
    return walk.statement(node, scope)


def _cluster(walk: Walk, node: Tree, scope: Scope) -> Children:
    if not node.HasField("relation"):
        walk.found.block(f"CLUSTER of everything: {_NO_TRANSACTION}")
    return walk.statement(node, scope)


def _alter_table(walk: Walk, node: Tree, scope: Scope) -> Children:
    inner = [*walk.statement(node, scope)]
    return [(child, where._replace(types=True)) for child, where in inner]


def _alter_command(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.subtype == _CHANGE_OWNER:
        walk.found.add({EffectClass.ADMIN})
    if node.HasField("def") and getattr(node, "def").partition_cmd.concurrent:
        walk.found.block(f"DETACH PARTITION CONCURRENTLY: {_NO_TRANSACTION}")
    return fields(node, scope)


def _refresh(walk: Walk, node: Tree, scope: Scope) -> Children:
    """The view's own query runs now."""
    if scope.plans:
        return []
    walk.found.add({EffectClass.DDL, EffectClass.WRITE})
    walk.event_triggers(scope)
    view = node.relation
    found = walk.catalogue.relation(view.schemaname or None, view.relname) if walk.catalogue else None
    walk.touch(view.schemaname, view.relname, scope, operation=Operation.DDL, event=Event.DEFINE)
    if found is not None and found.kind is RelationKind.MATERIALIZED:
        walk.push(statements_of(found.definition), scope)
    else:
        walk.found.wonder("the query of the materialized view is in no text", inside=scope.inside)
    return []


def _vacuum(walk: Walk, node: Tree, scope: Scope) -> Children:
    """ANALYZE and VACUUM look at every row through the indexes' expressions."""
    children = [*walk.statement(node, scope)]
    return [(child, where._replace(role=Operation.DDL)) for child, where in children]


def _set_variable(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.name in ("role", "session_authorization"):
        walk.found.add({EffectClass.ADMIN})
    return walk.statement(node, scope)


HANDLERS: Final[dict[str, Handler]] = {
    "DropStmt": _drop,
    "IndexStmt": _index,
    "ReindexStmt": _reindex,
    "ClusterStmt": _cluster,
    "AlterTableStmt": _alter_table,
    "AlterTableCmd": _alter_command,
    "RefreshMatViewStmt": _refresh,
    "VacuumStmt": _vacuum,
    "VariableSetStmt": _set_variable,
}
