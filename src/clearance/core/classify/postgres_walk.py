"""The walk over a parsed statement: every node once, each by the list of reviewed kinds. Never recursive.

What a kind does stands in postgres_kinds.py; this file only keeps the stack and follows names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from clearance.core.classify import postgres_bodies
from clearance.core.classify.postgres_catalogue import (
    Catalogue,
    Event,
    Function,
    Reaches,
    Relation,
    RelationKind,
)
from clearance.core.classify.postgres_found import Found
from clearance.core.classify.postgres_functions import (
    effects_of,
    extension_only_reads,
    is_type,
    leaves_the_server,
)
from clearance.core.classify.postgres_nodes import NEUTRAL, STATEMENTS
from clearance.core.classify.postgres_parse import Tree, UnreadableError, statements_of
from clearance.core.model.action import Operation
from clearance.core.model.effects import EffectClass

_READ: Final = frozenset({EffectClass.READ})
MOST_NODES: Final = 3_000_000  # of one statement with all that it reaches; an IN list of 100,000 has 300,000
EVENTS: Final = {
    Operation.READ: Event.READ,
    Operation.CREATE: Event.INSERT,
    Operation.UPDATE: Event.UPDATE,
    Operation.DELETE: Event.DELETE,
    Operation.DDL: Event.DEFINE,
}
EFFECTS: Final = {
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
}


class Scope(NamedTuple):
    """Where a node stands. `ctes` hide tables; under `plans` nothing runs; `inside` is a function's body.

    `role` is what happens to a relation that is named here; `types`: values of named types are made.
    """

    ctes: frozenset[str] = frozenset()
    role: Operation = Operation.READ
    plans: bool = False
    inside: bool = False
    types: bool = False


Children = Iterable[tuple[Tree, Scope]]
Handler = Callable[["Walk", Any, Scope], "Children | None"]


class Walk:
    """One statement's reading. `handlers` are the kinds that need more than their children looked at."""

    def __init__(self, found: Found, catalogue: Catalogue | None, handlers: Mapping[str, Handler]) -> None:
        self.found = found
        self.catalogue = catalogue
        self._handlers = handlers
        self._stack: list[tuple[Tree, Scope]] = []
        self._followed: set[tuple[str, Event, frozenset[str] | None, bool, bool]] = set()
        self._bodies: set[tuple[str, str, bool]] = set()
        self._seen = 0

    def run(self, tree: Tree, scope: Scope) -> None:
        """Read a tree, and whatever it reaches. Raises UnreadableError beyond the cap."""
        self._stack.append((tree, scope))
        self.drain()

    def drain(self) -> None:
        """Read what was pushed since."""
        while self._stack:
            node, where = self._stack.pop()
            self._seen += 1
            if self._seen > MOST_NODES:
                raise UnreadableError("it reaches more than can be read")
            self._visit(node, where)

    def push(self, trees: Iterable[Tree], scope: Scope) -> None:
        self._stack.extend((tree, scope) for tree in trees)

    def _visit(self, node: Tree, scope: Scope) -> None:
        kind = node.DESCRIPTOR.name
        if kind == "Node":
            chosen = node.WhichOneof("node")
            if chosen is None:
                self.found.wonder("the parser left a node out", inside=scope.inside)
            elif chosen != "a_const":
                self._stack.append((getattr(node, chosen), scope))
            return
        handler = self._handlers.get(kind)
        if handler is not None:
            more = handler(self, node, scope)
            self._stack.extend(fields(node, scope) if more is None else more)
        elif kind in NEUTRAL:
            self._stack.extend(fields(node, scope))
        elif kind in STATEMENTS:
            self._stack.extend(self.statement(node, scope))
        else:
            self.found.wonder(f"`{kind}` is not on the reviewed list", inside=scope.inside)

    def statement(self, node: Tree, scope: Scope) -> Children:
        """What the table of statements says, and then what it holds."""
        meaning = STATEMENTS[node.DESCRIPTOR.name]
        if not scope.plans:
            self.found.add(meaning.effects)
            if EffectClass.DDL in meaning.effects:
                self.event_triggers(scope)
        return fields(node, scope._replace(role=meaning.role, types=False))

    def event_triggers(self, scope: Scope) -> None:
        if self.catalogue is not None:
            for function in self.catalogue.event_triggers():
                self.call(function, scope, written=False)

    def touch(
        self,
        schema: str,
        name: str,
        scope: Scope,
        *,
        operation: Operation,
        event: Event | None,
        columns: frozenset[str] | None = None,
    ) -> None:
        """A relation that the text names. `columns` are those an UPDATE sets, None where not known."""
        if operation in EFFECTS and (schema in SYSTEM or (not schema and name.startswith("pg_"))):
            self.found.add({EffectClass.ADMIN, EffectClass.SESSION})
        relation = self.catalogue.relation(schema or None, name) if self.catalogue else None
        if relation is None:
            self.found.name(named(schema, name), operation)
            if self.catalogue is not None and operation is not Operation.DDL:
                self.found.wonder("a relation that is named does not exist", inside=scope.inside)
            return
        self.found.name(named(relation.schema, relation.name), operation)
        if event is not None:
            self.follow(relation, event, scope, columns=columns)

    def follow(
        self, relation: Relation, event: Event, scope: Scope, *, columns: frozenset[str] | None
    ) -> None:
        """Everything that `event` on a relation sets off, in the relation itself and in others."""
        key = (named(relation.schema, relation.name), event, columns, scope.plans, scope.inside)
        if key in self._followed:
            return
        self._followed.add(key)
        changes = event in CHANGES
        if relation.is_builtin:
            if changes:
                self.found.add({EffectClass.ADMIN, EffectClass.SESSION})
            return
        if relation.kind is RelationKind.FOREIGN and event is not Event.DEFINE:
            self.found.add({EffectClass.OUTBOUND})
        for fires in relation.fires:
            if fires.event is event:
                self.call(fires.function, scope, written=False)
        for looks in relation.reaches:
            if looks.event is event and looks.operation is Operation.READ:
                self._next((looks.schema, looks.name), Event.READ, scope, None)
        if changes and not scope.plans:
            self._rules(relation, event, scope)
            self._reached(relation, event, scope, columns)
        self._view(relation, event, scope)
        for child in relation.children:
            self._next(child, event, scope, columns)
            if event is Event.UPDATE:
                self._moved(child, scope)

    def _moved(self, where: tuple[str, str], scope: Scope) -> None:
        """A row that an UPDATE moves to another partition is deleted there, inserted here, with triggers."""
        relation = self.catalogue.relation(*where) if self.catalogue else None
        for fires in relation.fires if relation else ():
            if fires.event in (Event.DELETE, Event.INSERT):
                self.call(fires.function, scope, written=False)
        for child in relation.children if relation else ():
            self._moved(child, scope)

    def _next(
        self, where: tuple[str, str], event: Event, scope: Scope, columns: frozenset[str] | None
    ) -> None:
        relation = self.catalogue.relation(*where) if self.catalogue else None
        if relation is None:
            self.found.wonder("a relation that is reached does not exist", inside=scope.inside)
        else:
            self.follow(relation, event, scope, columns=columns)

    def _reached(
        self, relation: Relation, event: Event, scope: Scope, columns: frozenset[str] | None
    ) -> None:
        if any(fires.event is event and not fires.function.is_builtin for fires in relation.fires):
            columns = None  # a trigger may set a key that the text does not
        for reaches in relation.reaches:
            if reaches.event is event and reaches.operation in EFFECTS and self._moves(reaches, columns):
                self.found.add({EFFECTS[reaches.operation]})
                self.found.name(named(reaches.schema, reaches.name), reaches.operation)
                follows = event if event is Event.TRUNCATE else EVENTS[reaches.operation]
                self._next((reaches.schema, reaches.name), follows, scope, None)

    @staticmethod
    def _moves(reaches: Reaches, columns: frozenset[str] | None) -> bool:
        return reaches.event is not Event.UPDATE or columns is None or bool(columns & reaches.columns)

    def _rules(self, relation: Relation, event: Event, scope: Scope) -> None:
        for text in relation.rules:
            for tree in statements_of(text):
                rule = tree.rule_stmt
                if RULE_EVENTS.get(rule.event) is event:
                    condition = [rule.where_clause] if rule.HasField("where_clause") else []
                    self.push([*rule.actions, *condition], Scope(inside=scope.inside))

    def _view(self, relation: Relation, event: Event, scope: Scope) -> None:
        """A view's query runs whenever the view is touched; a change of it is a change of its one table."""
        if relation.kind is not RelationKind.VIEW or event is Event.DEFINE:
            return
        trees = statements_of(relation.definition)
        self.push(trees, Scope(plans=scope.plans, inside=scope.inside))
        if event in CHANGES and len(trees) == 1:
            sources = trees[0].select_stmt.from_clause
            if len(sources) == 1 and sources[0].HasField("range_var"):
                base = sources[0].range_var
                operation = next((verb for verb, when in EVENTS.items() if when is event), Operation.DELETE)
                self.touch(base.schemaname, base.relname, scope, operation=operation, event=event)

    def call_by_name(self, schema: str, name: str, scope: Scope) -> None:
        """A function that the text names: judged by the catalogue, or by the list where there is none."""
        if self.catalogue is None:
            self._believe(schema, name, scope)
            return
        functions = self.catalogue.functions(schema or None, name)
        if not functions and not (is_type(name) and schema in ("", "pg_catalog")):
            self.found.wonder(
                f"the function {named(schema, name)} is not in the catalogue", inside=scope.inside
            )
        for function in functions:
            self.call(function, scope, written=True)

    def _believe(self, schema: str, name: str, scope: Scope) -> None:
        effects = effects_of(name) if schema in ("", "pg_catalog") else None
        if effects is not None or (schema in ("", "pg_catalog") and is_type(name)):
            self._builtin(name, effects or _READ, scope)
            return
        if leaves_the_server(name):
            self.found.add({EffectClass.OUTBOUND})
        self.found.wonder(f"the function {named(schema, name)} did not come with the server", inside=False)

    def _builtin(self, name: str, effects: frozenset[EffectClass], scope: Scope) -> None:
        if scope.plans:
            return
        self.found.add(effects)
        if name in ("nextval",):
            self.found.leave("a sequence stays where nextval moved it")
        if name in ("setval",) or effects >= {EffectClass.EXEC}:
            self.found.block(f"what {name} does is not taken back by a rollback, or not known before it runs")

    def call(self, function: Function, scope: Scope, *, written: bool) -> None:
        """One function that runs. `written` in the text it is EXEC; else only if its source is not read."""
        if function.is_builtin:
            known = effects_of(function.name)
            if known is None and function.volatility == "volatile":
                self.found.wonder(
                    f"the function {function.name} is not on the reviewed list", inside=scope.inside
                )
            effects = known or _READ
            self._builtin(function.name, effects if written else effects - _READ, scope)
        elif extension_only_reads(function.extension, function.name, volatility=function.volatility):
            self._builtin(function.name, _READ if written else frozenset(), scope)
        else:
            self._user_made(function, scope, written=written)

    def _user_made(self, function: Function, scope: Scope, *, written: bool) -> None:
        if function.extension and leaves_the_server(function.name):
            self.found.add({EffectClass.OUTBOUND})
        if written or scope.plans:
            self.found.add({EffectClass.EXEC})
        key = (function.qualified, function.definition, scope.plans)
        if key in self._bodies:
            return
        self._bodies.add(key)
        try:
            if function.settings:
                raise UnreadableError("it changes settings while it runs")
            body = postgres_bodies.read(function.definition, language=function.language)
            self.push(body, Scope(plans=scope.plans, inside=True))
        except UnreadableError as error:
            self.found.add({EffectClass.EXEC})
            self.found.block(f"the source of {function.qualified} was not read: {error}")


SYSTEM: Final = ("pg_catalog", "information_schema", "pg_toast")
CHANGES: Final = (Event.INSERT, Event.UPDATE, Event.DELETE, Event.TRUNCATE)
RULE_EVENTS: Final = {3: Event.UPDATE, 4: Event.INSERT, 5: Event.DELETE}  # CmdType, as the parser numbers it


def fields(node: Tree, scope: Scope, *, without: tuple[str, ...] = ()) -> list[tuple[Tree, Scope]]:
    """The messages directly below a node."""
    found: list[tuple[Tree, Scope]] = []
    for field, value in node.ListFields():
        if field.message_type is None or field.name in without:
            continue
        if hasattr(value, "DESCRIPTOR"):
            found.append((value, scope))
        else:
            found.extend((item, scope) for item in value)
    return found


def named(schema: str, name: str) -> str:
    """`schema.name` as PostgreSQL folded it; quoted where a dot or a quote in it would mislead."""
    return ".".join(_quoted(part) for part in (schema, name) if part)


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part
