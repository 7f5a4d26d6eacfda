"""The kinds of node that need more than a table entry: who is touched, what runs, what hides a name."""

from __future__ import annotations

from typing import Any, Final

from clearance.core.classify import postgres_bodies
from clearance.core.classify.postgres_catalogue import Event
from clearance.core.classify.postgres_functions import is_operator, is_type
from clearance.core.classify.postgres_parse import Tree, UnreadableError
from clearance.core.classify.postgres_walk import (
    EFFECTS,
    EVENTS,
    Children,
    Handler,
    Scope,
    Walk,
    fields,
    named,
)
from clearance.core.model.action import Operation
from clearance.core.model.effects import EffectClass

_UPDATES, _INSERTS, _DELETES, _NOTHING = 3, 4, 5, 8  # CmdType
_ON_CONFLICT_UPDATES = 3
_CASCADE = 2
_MATERIALIZED = 24
_BETWEEN = {"BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC"}


def strings(nodes: Any) -> list[str]:
    """The words of a dotted name."""
    return [node.string.sval for node in nodes if node.HasField("string")]


def split_name(parts: list[str]) -> tuple[str, str]:
    """(schema, name); a database in front is the one we are in, or the server refuses."""
    return (parts[-2] if len(parts) > 1 else "", parts[-1] if parts else "")


def _with(node: Tree, scope: Scope) -> tuple[Scope, list[tuple[Tree, Scope]]]:
    """The scope below a WITH, and its queries: one sees those before it, all of them under RECURSIVE."""
    if not node.HasField("with_clause"):
        return scope, []
    clause, seen = node.with_clause, scope.ctes
    every = seen | {item.common_table_expr.ctename for item in clause.ctes}
    queries = []
    for item in clause.ctes:
        queries.append((item, scope._replace(ctes=every if clause.recursive else seen)))
        seen = seen | {item.common_table_expr.ctename}
    return scope._replace(ctes=every), queries


def _select(walk: Walk, node: Tree, scope: Scope) -> Children:
    inner, queries = _with(node, scope._replace(role=Operation.READ, types=True))
    walk.found.add({EffectClass.READ})
    distinct = [(item, inner) for item in node.distinct_clause if item.WhichOneof("node")]
    return queries + distinct + fields(node, inner, without=("with_clause", "distinct_clause"))


def _change(
    walk: Walk,
    node: Tree,
    scope: Scope,
    *,
    operations: list[Operation],
    columns: frozenset[str] | None = None,
) -> Children:
    """INSERT, UPDATE, DELETE, MERGE: the target, then all the rest."""
    inner, queries = _with(node, scope._replace(role=Operation.READ, types=True))
    target = node.relation
    for operation in [Operation.READ] if scope.plans or not operations else operations:
        if operation in EFFECTS:
            walk.found.add({EFFECTS[operation]})
        touched = columns if operation is Operation.UPDATE else None
        walk.touch(
            target.schemaname,
            target.relname,
            scope,
            operation=operation,
            event=EVENTS[operation],
            columns=touched,
        )
    if node.HasField("returning_clause"):
        walk.found.add({EffectClass.READ})
    return queries + fields(node, inner, without=("with_clause", "relation"))


def _insert(walk: Walk, node: Tree, scope: Scope) -> Children:
    operations = [Operation.CREATE]  # its defaults run anyway, also for ON CONFLICT .. SET x = DEFAULT
    if node.on_conflict_clause.action == _ON_CONFLICT_UPDATES:
        operations.append(Operation.UPDATE)
    columns = _set(node.on_conflict_clause.target_list)
    children = _change(walk, node, scope, operations=operations, columns=columns)
    return [pair for child, where in children for pair in _unwrapped(child, where)]


def _unwrapped(child: Tree, scope: Scope) -> list[tuple[Tree, Scope]]:
    """The rows of INSERT .. VALUES are a SELECT to the grammar, but read nothing."""
    if child.DESCRIPTOR.name == "Node" and child.HasField("select_stmt"):
        select = child.select_stmt
        if select.values_lists and not select.HasField("with_clause"):
            return fields(select, scope._replace(types=True))
    return [(child, scope)]


def _update(walk: Walk, node: Tree, scope: Scope) -> Children:
    columns = _set(node.target_list)
    children = _change(walk, node, scope, operations=[Operation.UPDATE], columns=columns)
    _defaults(walk, node.target_list, node.relation, scope)
    return children


def _defaults(walk: Walk, targets: Any, target: Tree, scope: Scope) -> None:
    """SET column = DEFAULT runs what an INSERT would."""
    values = {item.res_target.val.WhichOneof("node") for item in targets}
    if values & {"set_to_default", "multi_assign_ref"} and walk.catalogue is not None:
        relation = walk.catalogue.relation(target.schemaname or None, target.relname)
        if relation is not None:
            walk.follow(relation, Event.INSERT, scope, columns=None)


def _delete(walk: Walk, node: Tree, scope: Scope) -> Children:
    return _change(walk, node, scope, operations=[Operation.DELETE])


def _merge(walk: Walk, node: Tree, scope: Scope) -> Children:
    verbs = {_INSERTS: Operation.CREATE, _UPDATES: Operation.UPDATE, _DELETES: Operation.DELETE}
    clauses = [item.merge_when_clause for item in node.merge_when_clauses]
    kinds = [clause.command_type for clause in clauses]
    if set(kinds) - {*verbs, _NOTHING}:
        walk.found.wonder("an action of MERGE is not on the reviewed list", inside=scope.inside)
    walk.found.add({EffectClass.READ})
    operations = list(dict.fromkeys(verbs[kind] for kind in kinds if kind in verbs))
    columns = frozenset[str]().union(*(_set(clause.target_list) for clause in clauses))
    for clause in clauses:
        _defaults(walk, clause.target_list, node.relation, scope)
    return _change(walk, node, scope, operations=operations, columns=columns)


def _set(targets: Any) -> frozenset[str]:
    return frozenset(item.res_target.name for item in targets)


def _range(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.schemaname or node.relname not in scope.ctes or scope.role is not Operation.READ:
        operation = scope.role
        if node.relpersistence == "t" and operation is Operation.DDL:
            walk.found.add({EffectClass.SESSION})
        walk.touch(
            node.schemaname,
            node.relname,
            scope,
            operation=Operation.READ if scope.plans else operation,
            event=EVENTS.get(operation),
        )
    return []


def _into(walk: Walk, node: Tree, scope: Scope) -> Children:
    if scope.plans:
        return []
    walk.found.add({EffectClass.DDL} if node.skip_data else {EffectClass.DDL, EffectClass.WRITE})
    walk.event_triggers(scope)
    return fields(node, scope._replace(role=Operation.DDL))


def _create_as(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.objtype == _MATERIALIZED and not scope.plans:
        walk.found.add({EffectClass.DDL})
    return fields(node, scope)


def _truncate(walk: Walk, node: Tree, scope: Scope) -> Children:
    walk.found.add({EffectClass.DELETE})
    event = Event.TRUNCATE
    for item in node.relations:
        table = item.range_var
        where = table.schemaname, table.relname
        walk.touch(*where, scope, operation=Operation.DELETE, event=event)
    if node.behavior == _CASCADE and walk.catalogue is None:
        walk.found.wonder("which tables TRUNCATE .. CASCADE reaches is in no text", inside=scope.inside)
    return []


def _copy(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.is_program:
        walk.found.add({EffectClass.EXEC, EffectClass.ADMIN})
    elif node.filename:
        walk.found.add({EffectClass.ADMIN})
    else:
        walk.found.block("COPY speaks a protocol of its own: its rows are not in the statement")
    walk.found.add({EffectClass.WRITE if node.is_from else EffectClass.READ})
    if node.HasField("relation"):
        operation = Operation.CREATE if node.is_from else Operation.READ
        table = node.relation
        where = table.schemaname, table.relname
        walk.touch(*where, scope, operation=operation, event=EVENTS[operation])
    return fields(node, scope._replace(types=True), without=("relation", "options"))


def _explain(walk: Walk, node: Tree, scope: Scope) -> Children:
    """Under ANALYZE the statement runs. Else it is planned, which still runs functions that are immutable."""
    walk.found.add({EffectClass.READ})
    analyzes = [_is_on(item.def_elem) for item in node.options if item.def_elem.defname == "analyze"]
    plans = scope.plans or not any(analyzes)
    return [(node.query, scope._replace(plans=plans))]


def _is_on(option: Tree) -> bool:
    """Whatever is not surely off is on."""
    if not option.HasField("arg"):
        return True
    arg = option.arg
    match arg.WhichOneof("node"):
        case "integer":
            return bool(arg.integer.ival)
        case "boolean":
            return bool(arg.boolean.boolval)
        case "string":
            return arg.string.sval.lower() not in ("false", "off", "0")
    return True


def _do(walk: Walk, node: Tree, _scope: Scope) -> Children:
    walk.found.add({EffectClass.EXEC})
    options = {item.def_elem.defname: item.def_elem.arg.string.sval for item in node.args}
    try:
        if options.get("language", "plpgsql") != "plpgsql":
            raise UnreadableError("it is not written in plpgsql")
        walk.push(postgres_bodies.block(options.get("as", "")), Scope(inside=True))
    except UnreadableError as error:
        walk.found.block(f"the block of DO was not read: {error}")
    return []


def _execute(walk: Walk, node: Tree, scope: Scope) -> Children:
    walk.found.add({EffectClass.EXEC})
    walk.found.wonder("what was prepared under this name is in no text", inside=scope.inside)
    return fields(node, scope)


def _function(walk: Walk, node: Tree, scope: Scope) -> Children:
    walk.call_by_name(*split_name(strings(node.funcname)), scope)
    return fields(node, scope, without=("funcname",))


def _rows_of(_walk: Walk, node: Tree, scope: Scope) -> Children:
    """Functions in FROM come in pairs with their column list, which may be empty."""
    items = [item for pair in node.functions for item in pair.list.items if item.WhichOneof("node")]
    return [(item, scope) for item in items] + fields(node, scope, without=("functions",))


def _sample(walk: Walk, node: Tree, scope: Scope) -> Children:
    walk.call_by_name(*split_name(strings(node.method)), scope)
    return fields(node, scope, without=("method",))


def _expression(walk: Walk, node: Tree, scope: Scope) -> Children:
    parts = strings(node.name)
    if parts[-1:] and parts[-1] in _BETWEEN:
        for name in ("<=", ">="):
            _operator(walk, [name], scope)
    else:
        _operator(walk, parts, scope)
    return fields(node, scope, without=("name",))


def _operator(walk: Walk, parts: list[str], scope: Scope) -> None:
    schema, name = split_name(parts)
    functions = walk.catalogue.operators(name) if walk.catalogue else ()
    for function in functions:
        walk.call(function, scope, written=True)
    if not functions and not (is_operator(name) and schema in ("", "pg_catalog")):
        walk.found.wonder("an operator did not come with the server", inside=scope.inside)


def _sublink(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.HasField("testexpr"):
        _operator(walk, strings(node.oper_name) or ["="], scope)
    return fields(node, scope, without=("oper_name", "xpr"))


def _equals(walk: Walk, node: Tree, scope: Scope) -> Children:
    """CASE x WHEN, NATURAL and USING look up `=` without writing it."""
    _operator(walk, ["="], scope)
    return fields(node, scope)


def _sort(walk: Walk, node: Tree, scope: Scope) -> Children:
    if node.use_op:
        _operator(walk, strings(node.use_op), scope)
    return fields(node, scope, without=("use_op",))


def _type(walk: Walk, node: Tree, scope: Scope) -> Children:
    if not scope.types:
        return []
    schema, name = split_name(strings(node.names))
    if schema in ("", "pg_catalog") and is_type(name) and walk.catalogue is None:
        return []
    functions = walk.catalogue.type_functions(schema or None, name) if walk.catalogue else None
    if functions is None:
        walk.found.wonder(f"the type {named(schema, name)} did not come with the server", inside=scope.inside)
    for function in functions or ():
        walk.call(function, scope, written=True)
    return []


def _cast(_walk: Walk, node: Tree, scope: Scope) -> Children:
    return fields(node, scope._replace(types=True))


def _column(walk: Walk, node: Tree, scope: Scope) -> Children:
    """`row.name` is a call of `name(row)` where there is no such column."""
    parts = strings(node.fields)
    if walk.catalogue is not None and len(parts) > 1:
        _attribute(walk, parts[-1], scope)
    return []


def _indirection(walk: Walk, node: Tree, scope: Scope) -> Children:
    if walk.catalogue is not None:
        for name in strings(node.indirection):
            _attribute(walk, name, scope)
    return fields(node, scope)


def _attribute(walk: Walk, name: str, scope: Scope) -> None:
    for function in walk.catalogue.attributes(name) if walk.catalogue else ():
        walk.call(function, scope, written=True)


def _locking(walk: Walk, _node: Tree, scope: Scope) -> Children:
    """Row locks are kept until the transaction ends, and the server itself counts them as writing."""
    if not scope.plans:
        walk.found.add({EffectClass.WRITE})
    return []


HANDLERS: Final[dict[str, Handler]] = {
    "SelectStmt": _select,
    "InsertStmt": _insert,
    "UpdateStmt": _update,
    "DeleteStmt": _delete,
    "MergeStmt": _merge,
    "RangeVar": _range,
    "IntoClause": _into,
    "CreateTableAsStmt": _create_as,
    "TruncateStmt": _truncate,
    "CopyStmt": _copy,
    "ExplainStmt": _explain,
    "DoStmt": _do,
    "ExecuteStmt": _execute,
    "FuncCall": _function,
    "RangeFunction": _rows_of,
    "RangeTableSample": _sample,
    "A_Expr": _expression,
    "SubLink": _sublink,
    "CaseExpr": _equals,
    "JoinExpr": _equals,
    "SortBy": _sort,
    "TypeName": _type,
    "TypeCast": _cast,
    "ColumnRef": _column,
    "A_Indirection": _indirection,
    "LockingClause": _locking,
}
