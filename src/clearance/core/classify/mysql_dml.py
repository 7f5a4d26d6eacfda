"""SELECT, INSERT, REPLACE, UPDATE and DELETE of MySQL: effects and objects, through sqlglot's tree.

The tree gives the tables; functions are judged by the tokens. A node that was not reviewed is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from clearance.core.classify.mysql_scan import Kind, Token, depths, join
from clearance.core.classify.mysql_words import MODIFIERS, NODES, SYSTEM_SCHEMAS
from clearance.core.model.action import Operation
from clearance.core.model.effects import Classification, EffectClass, Named

_FLOOR = {
    "INSERT": frozenset({EffectClass.WRITE}),
    "REPLACE": frozenset({EffectClass.WRITE, EffectClass.DELETE}),
    "UPDATE": frozenset({EffectClass.WRITE}),
    "DELETE": frozenset({EffectClass.DELETE}),
}
_READ = frozenset({EffectClass.READ})


def is_dml(tokens: Sequence[Token]) -> bool:
    found = verb(tokens)
    history = found == "DELETE" and len(tokens) > 1 and tokens[1].name == "HISTORY"  # MariaDB's own statement
    return found in {"SELECT", "TABLE", "VALUES", *_FLOOR} and not history


def verb(tokens: Sequence[Token]) -> str:
    """The word that says what is done; behind WITH, the first verb outside every parenthesis."""
    words = [token for token in tokens if token.text != "("]
    if not words or words[0].name != "WITH" or words[0].kind is not Kind.WORD:
        return words[0].name if words and words[0].kind is Kind.WORD else ""
    for token, depth in zip(tokens, depths(tokens), strict=True):
        if depth == 0 and token.kind is Kind.WORD and token.name in {"SELECT", *_FLOOR}:
            return token.name
    return ""


def classify_dml(tokens: Sequence[Token]) -> Classification:
    """Never raises. What sqlglot cannot read keeps the effect of its verb, and is unknown."""
    head = verb(tokens)
    floor = _FLOOR.get(head, _READ) | _beside(tokens)
    try:
        tree = parse(tokens)
    except (SqlglotError, RecursionError, MemoryError, ValueError, IndexError, AttributeError, TypeError):
        return Classification(effects=floor, unknown=("the statement could not be parsed",))
    odd = sorted({type(node).__name__ for node in tree.walk() if not _reviewed(node)})
    objects = tuple(_objects(tree, replaces=head == "REPLACE"))
    effects = floor | _of_objects(objects)
    return Classification(
        effects=effects,
        objects=objects,
        unknown=tuple(f"a part of the kind {kind} was not reviewed" for kind in odd),
    )


def parse(tokens: Sequence[Token]) -> exp.Expr:
    """The tree of one statement, every literal made plain. Raises what sqlglot raises."""
    found = sqlglot.parse(join(_readable(tokens)), dialect="mysql")
    if len(found) != 1 or found[0] is None or isinstance(found[0], exp.Command):
        raise SqlglotError
    tree = found[0]
    expected = {"INSERT": exp.Insert, "REPLACE": exp.Insert, "UPDATE": exp.Update, "DELETE": exp.Delete}
    if not isinstance(tree, expected.get(verb(tokens), exp.Query)):
        raise SqlglotError
    return tree


def _reviewed(node: object) -> bool:
    return isinstance(node, exp.Func) or type(node).__name__ in NODES


def _readable(tokens: Sequence[Token]) -> list[Token]:
    """The tokens as sqlglot reads them: literals plain, without words that it does not know."""
    found = [_plain(token) for token in _without_into(tokens)]
    head = next((i for i, token in enumerate(found) if token.name == verb(tokens)), 0)
    if found and found[head].name == "REPLACE":
        found[head] = _word(found[head], "INSERT")
    while len(found) > head + 2 and _is_modifier(found, head + 1):
        del found[head + 1]
    if found and found[head].name == "DELETE":
        _drop_stars(found, head)
    for index, token in enumerate(found):
        if token.kind is Kind.WORD and token.name == "DEFAULT" and _text(found, index + 1) == "(":
            found[index] = _word(token, "COALESCE")
        if [_text(found, at).upper() for at in range(index, index + 3)] in (
            ["NEXT", "VALUE", "FOR"],
            ["PREVIOUS", "VALUE", "FOR"],
        ):
            found[index : index + 3] = []
    return found


def _is_modifier(found: Sequence[Token], index: int) -> bool:
    token = found[index]
    kept = token.name == "IGNORE" and found[index - 1].name == "INSERT"
    return token.kind is Kind.WORD and token.name in MODIFIERS and not kept


def _drop_stars(found: list[Token], head: int) -> None:
    """`DELETE o.* FROM` is `DELETE o FROM`."""
    index = head
    while index + 1 < len(found) and found[index].name not in ("WHERE", "JOIN"):
        if found[index].text == "." and found[index + 1].text == "*":
            del found[index : index + 2]
        index += 1


def _text(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if index < len(tokens) else ""


def _word(token: Token, text: str) -> Token:
    return Token(Kind.WORD, text, text, token.spaced, token.start, token.end)


def _plain(token: Token) -> Token:
    text = token.text
    if token.kind is Kind.STRING:
        text = "'$'"
    elif token.kind is Kind.NUMBER:
        text = "1"
    elif token.kind is Kind.PLACE:
        text = "?"
    elif (
        token.kind is Kind.VARIABLE and not text.replace("@", "").replace("_", "").replace(".", "").isalnum()
    ):
        text = "@v"
    elif token.text == "%%":
        text = "%"
    return Token(token.kind, text, token.name, token.spaced, token.start, token.end)


def selects_into(tokens: Sequence[Token]) -> Iterator[int]:
    """The place of every INTO that does not name the table of an INSERT or REPLACE."""
    for index, token in enumerate(tokens):
        if token.kind is Kind.WORD and token.name == "INTO":
            before = tokens[index - 1].name if index else ""
            if before not in MODIFIERS | {"INSERT", "REPLACE"}:
                yield index


def _without_into(tokens: Sequence[Token]) -> list[Token]:
    ends = {"FROM", "FOR", "LOCK", "WHERE", "UNION", "LIMIT", "ORDER", "GROUP"}
    removed: set[int] = set()
    for index in selects_into(tokens):
        at = index
        while at < len(tokens) and tokens[at].text != ")" and (at == index or tokens[at].name not in ends):
            removed.add(at)
            at += 1
    return [token for index, token in enumerate(tokens) if index not in removed]


def _beside(tokens: Sequence[Token]) -> frozenset[EffectClass]:
    """What a parser drops: INTO a file or a variable, an assignment, the next number of a sequence."""
    found: set[EffectClass] = set()
    for index in selects_into(tokens):
        follows = tokens[index + 1] if index + 1 < len(tokens) else None
        if follows is not None and follows.name in ("OUTFILE", "DUMPFILE"):
            found.add(EffectClass.OUTBOUND)
        elif follows is not None and follows.kind is Kind.VARIABLE:
            found.add(EffectClass.SESSION)
        else:
            found.add(EffectClass.UNKNOWN)
    if any(token.text == ":=" for token in tokens):
        found.add(EffectClass.SESSION)
    names = [token.name for token in tokens]
    if any(names[at : at + 3] == ["NEXT", "VALUE", "FOR"] for at in range(len(names))) or "NEXTVAL" in names:
        found.add(EffectClass.WRITE)
    return frozenset(found)


def _objects(tree: exp.Expr, *, replaces: bool) -> Iterator[Named]:
    """Each table once for each thing done to it: what is changed first, then what is read."""
    changed = dict(changes(tree, replaces=replaces))
    for name, operation in changed.items():
        yield Named(name=name, operation=operation)
    cte = {str(part.alias).lower() for part in tree.find_all(exp.CTE)}
    targets = {id(table) for table in (*target_nodes(tree), *_aliases(tree))}
    seen = set()
    for table in tree.find_all(exp.Table):
        name = table_name(table)
        if not name or (name.lower() in cte and not table.db) or id(table) in targets or name in seen:
            continue
        seen.add(name)
        yield Named(name=name, operation=Operation.READ)


def changes(tree: exp.Expr, *, replaces: bool = False) -> Iterator[tuple[str, Operation]]:
    for table in target_nodes(tree):
        match tree:
            case exp.Insert():
                updates = replaces or tree.args.get("conflict") is not None
                yield table_name(table), Operation.UPDATE if updates else Operation.CREATE
            case exp.Update():
                yield table_name(table), Operation.UPDATE
            case _:
                yield table_name(table), Operation.DELETE


def table_name(table: exp.Table) -> str:
    """`schema.table` as written, or "" for what is no table, such as JSON_TABLE."""
    if not isinstance(table.this, exp.Identifier):
        return ""
    return ".".join(part.name for part in (table.args.get("db"), table.this) if part is not None)


def sources(tree: exp.Expr) -> dict[str, exp.Table]:
    """The tables that an UPDATE or DELETE lists, by alias, outside every subquery."""
    found: dict[str, exp.Table] = {}
    roots = tree.args.get("using") or [tree.this]
    for root in roots:
        for table in root.find_all(exp.Table) if root is not None else ():
            if table.find_ancestor(exp.Subquery, exp.Select) is None:
                found.setdefault(table.alias_or_name.lower(), table)
    return found


def target_nodes(tree: exp.Expr) -> list[exp.Table]:
    listed = sources(tree) if isinstance(tree, exp.Update | exp.Delete) else {}
    match tree:
        case exp.Insert():
            table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
            return [table] if isinstance(table, exp.Table) else []
        case exp.Delete():
            named = _aliases(tree)
            return [listed.get(table.name.lower(), table) for table in named] or [tree.this]
        case exp.Update():
            columns = [part.this for part in tree.expressions if isinstance(part.this, exp.Column)]
            aliases = {column.table.lower() for column in columns}
            known = [listed[alias] for alias in sorted(aliases) if alias in listed]
            return known if len(known) == len(aliases) and known else list(listed.values())
        case _:
            return []


def _aliases(tree: exp.Expr) -> list[exp.Table]:
    """What `DELETE a, b FROM …` and `DELETE FROM a, b USING …` name before the list of tables."""
    if not isinstance(tree, exp.Delete):
        return []
    if tree.args.get("using"):
        return list(tree.this.find_all(exp.Table))
    return list(tree.args.get("tables") or [])


def _of_objects(objects: Sequence[Named]) -> frozenset[EffectClass]:
    changed = [named.name.lower() for named in objects if named.operation is not Operation.READ]
    if any(name.partition(".")[0] in SYSTEM_SCHEMAS for name in changed if "." in name):
        return frozenset({EffectClass.ADMIN})
    return frozenset()
