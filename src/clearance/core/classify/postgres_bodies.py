"""The source of a function in SQL or PL/pgSQL as statements to read. What is made up at run time is not read.

A body counts as read only if every statement kind in it is on the list and every name before a parenthesis
turned up in what was taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from clearance.core.classify.postgres_functions import is_type
from clearance.core.classify.postgres_parse import Tree, UnreadableError, plpgsql_of, statements_of

READABLE: Final = ("sql", "plpgsql")
_VARIABLES = "op name when level table_name table_schema relname event tag nargs argv"
_PARAMETERS = ", ".join(["new record", "old record", *(f"tg_{word} text" for word in _VARIABLES.split())])
_TAG = "$clearance_body$"
_READ: Final = """
    PLpgSQL_function PLpgSQL_var PLpgSQL_rec PLpgSQL_row PLpgSQL_recfield PLpgSQL_type PLpgSQL_expr
    PLpgSQL_stmt_block PLpgSQL_stmt_assign PLpgSQL_stmt_if PLpgSQL_if_elsif PLpgSQL_stmt_case
    PLpgSQL_case_when PLpgSQL_stmt_loop PLpgSQL_stmt_while PLpgSQL_stmt_fori PLpgSQL_stmt_fors
    PLpgSQL_stmt_foreach_a PLpgSQL_stmt_exit PLpgSQL_stmt_return PLpgSQL_stmt_return_next
    PLpgSQL_stmt_return_query PLpgSQL_stmt_raise PLpgSQL_raise_option PLpgSQL_stmt_assert
    PLpgSQL_stmt_execsql PLpgSQL_stmt_getdiag PLpgSQL_diag_item PLpgSQL_stmt_perform PLpgSQL_stmt_call
    PLpgSQL_exception_block PLpgSQL_exception PLpgSQL_condition
"""
_KINDS: Final = frozenset(_READ.split())
_ASSIGNED = re.compile(r"""^\s*(?:[\w.$]|"(?:[^"]|"")*")+\s*:?=(?!=)""")
_CALLED = re.compile(r'([A-Za-z_][\w$]*|"(?:[^"]|"")+")\s*\(')
_WORDS = "if elsif while return in values and or not when case select from on using"
_NO_CALLS = frozenset(_WORDS.split())


def read(definition: str, *, language: str) -> list[Tree]:
    """The statements of a body. Raises UnreadableError with the reason."""
    if language not in READABLE:
        raise UnreadableError(f"it is written in {language}")
    (create,) = statements_of(definition) or [None]
    if create is None or not create.HasField("create_function_stmt"):
        raise UnreadableError("its source is not at hand")
    function = create.create_function_stmt
    parameters = [item.function_parameter for item in function.parameters]
    defaults = [item.defexpr for item in parameters if item.HasField("defexpr")]
    if function.HasField("sql_body"):
        return [function.sql_body, *defaults]
    source = _source(function.options)
    if language == "sql":
        return statements_of(source) + defaults
    returns = [name.string.sval for name in function.return_type.names]
    is_trigger = returns[-1:] in (["trigger"], ["event_trigger"])
    return defaults + (block(source) if is_trigger else _plpgsql(definition, source))


def block(source: str) -> list[Tree]:
    """The statements of a PL/pgSQL block that stands alone: of DO, or of a trigger."""
    if _TAG in source:
        raise UnreadableError("its source cannot be quoted")
    head = f"CREATE FUNCTION f({_PARAMETERS}) RETURNS record LANGUAGE plpgsql AS {_TAG}"
    return _plpgsql(head + source + _TAG, source)


def _source(options: Tree) -> str:
    for option in options:
        if option.def_elem.defname == "as":
            arg = option.def_elem.arg
            items = arg.list.items if arg.HasField("list") else [arg]
            if len(items) == 1:
                return str(items[0].string.sval)
    raise UnreadableError("its source is not at hand")


def _plpgsql(definition: str, source: str) -> list[Tree]:
    texts = list(_texts(plpgsql_of(definition), source))
    together = "\n".join(texts).lower()
    for name in _CALLED.findall(source):
        if name.lower() not in together and name.lower() not in _NO_CALLS:
            raise UnreadableError("a part of its PL/pgSQL was not found again")
    return [tree for text in texts for tree in statements_of(text)]


def _texts(node: Any, source: str) -> Iterator[str]:
    """Every SQL text below a node. Kinds are the keys with a prefix, the others its fields."""
    if isinstance(node, list):
        for item in node:
            yield from _texts(item, source)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("PLpgSQL_"):
                _check(key, value, source)
            if key == "PLpgSQL_expr":
                yield _statement(value)
            else:
                yield from _texts(value, source)


def _check(kind: str, value: dict[str, Any], source: str) -> None:
    if kind not in _KINDS or "dynquery" in value:
        raise UnreadableError("its PL/pgSQL makes statements up at run time, or does what is not read")
    if kind == "PLpgSQL_type" and not is_type(str(value.get("typname", "")).removeprefix("_").lower()):
        raise UnreadableError("a variable's type was not looked up")
    if kind == "PLpgSQL_rec" and "lineno" in value:
        name = re.escape(str(value.get("refname", "")))
        if not re.search(rf'"?{name}"?\s+record\b', source, re.I):
            raise UnreadableError("a variable's type was not looked up")


def _statement(expression: dict[str, Any]) -> str:
    query, mode = str(expression.get("query", "")), expression.get("parseMode", 0)
    if mode == 0:
        return query
    if mode == 2:
        return f"SELECT {query}"
    assigned = _ASSIGNED.match(query)
    if assigned is None:
        raise UnreadableError("an assignment in its PL/pgSQL was not read")
    return f"SELECT {query[assigned.end() :]}"
