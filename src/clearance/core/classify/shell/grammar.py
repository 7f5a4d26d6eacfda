"""Bash text to a syntax tree, or a reason why it is not read. A tree is believed only where it is checked.

The grammar is tolerant and cuts some texts otherwise than bash does. Each node kind is therefore on a list,
what stands between nodes is looked at, and the ends of here-documents are found a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from clearance.core.classify.shell.variables import assigned

MOST_CHARACTERS = 32_768
_MOST_DEPTH = 120  # nodes; deeper nesting is no command a person could check
_KINDS_LIST = """
    program list pipeline subshell compound_statement if_statement elif_clause else_clause
    while_statement for_statement c_style_for_statement do_group case_statement case_item
    function_definition negated_command command command_name redirected_statement file_redirect
    heredoc_redirect herestring_redirect heredoc_start heredoc_body heredoc_content heredoc_end
    file_descriptor variable_assignment variable_assignments variable_name array subscript
    declaration_command unset_command command_substitution process_substitution arithmetic_expansion
    simple_expansion expansion special_variable_name string string_content raw_string ansi_c_string
    concatenation word number brace_expression test_command unary_expression binary_expression
    postfix_expression parenthesized_expression ternary_expression test_operator regex extglob_pattern
    comment
"""
_KINDS = frozenset(_KINDS_LIST.split())
# Only within these may a line end between two parts: no redirection takes its target from the next line.
_MANY_LINES_LIST = """
    program list pipeline subshell compound_statement if_statement elif_clause else_clause while_statement
    for_statement c_style_for_statement do_group case_statement case_item function_definition
    command_substitution process_substitution arithmetic_expansion array test_command heredoc_body string
"""
_MANY_LINES = frozenset(_MANY_LINES_LIST.split())
_BLANK = re.compile(rb"(?:[ \t\n]|\\\n)*")
_BLANK_IN_LINE = re.compile(rb"(?:[ \t]|\\\n)*")
_LOOSE = frozenset({"string", "heredoc_body", "expansion", "heredoc_redirect"})
_SIGN = frozenset("$\"'`;|&<>() \t\n")
_HIDDEN = re.compile(r"`|\$[({A-Za-z_0-9@*#?!$]")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_HEREDOC = re.compile(r"""(?:(\w+)|'([^'\n]+)'|"([\w .-]+)"|\\(\w+))""")


class Unreadable(ValueError):  # noqa: N818 - it says what the text is
    """The text is not read; the message says why and quotes nothing of it."""


@lru_cache(maxsize=1)
def _language() -> Language:
    return Language(tree_sitter_bash.language())


def parse(text: str) -> Node:
    """The tree of a text in which every node is understood; raises Unreadable."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"the command is longer than {MOST_CHARACTERS} characters")
    if not text.replace("\n", "").replace("\t", "").isprintable():
        raise Unreadable("the command holds characters that do not print")
    source = text.encode()
    root = Parser(_language()).parse(source).root_node
    if root.has_error:
        raise Unreadable("the command is no complete bash")
    for node, depth in _nodes(root):
        _check(node, source, depth=depth)
    return root


def _nodes(root: Node, *, within: str = "") -> Iterator[tuple[Node, int]]:
    """Every node with its depth; nothing beneath a node of the kind `within`."""
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if node.type != within:
            waiting.extend((child, depth + 1) for child in node.children)


def _check(node: Node, source: bytes, *, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise Unreadable("the command is nested too deeply")
    if node.is_missing or (node.is_named and node.type not in _KINDS):
        raise Unreadable(f"the grammar's `{node.type[:40]}` is not reviewed")
    if node.children:
        _check_between(node, source)
    check = _CHECKS.get(node.type)
    if check:
        check(node, source)


def _check_between(node: Node, source: bytes) -> None:
    """Only white space may stand between the parts of a node: everything else was passed over."""
    at = node.start_byte
    blank = _BLANK if node.type in _MANY_LINES else _BLANK_IN_LINE
    for child in node.children:
        gap = source[at : child.start_byte]
        at = max(at, child.end_byte)
        if gap and not _gap_is_harmless(node, gap, blank):
            raise Unreadable("a part of the command is not in its syntax tree")
    gap = source[at : node.end_byte]
    if gap and not _gap_is_harmless(node, gap, blank):
        raise Unreadable("a part of the command is not in its syntax tree")


def _gap_is_harmless(node: Node, gap: bytes, blank: re.Pattern[bytes]) -> bool:
    if blank.fullmatch(gap):
        return True
    return node.type in _LOOSE and not _HIDDEN.search(_ESCAPED.sub("", gap.decode(errors="replace")))


def _word(node: Node, source: bytes) -> None:
    raw = source[node.start_byte : node.end_byte].decode()
    bare = _ESCAPED.sub("", raw)
    if not _SIGN.isdisjoint(bare) and not _in_pattern(node):
        raise Unreadable("a word holds a sign that a shell would act on")
    if raw.startswith("#") and not _in_pattern(node):
        raise Unreadable("a word begins like a comment")


def _in_pattern(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type in ("expansion", "case_item", "binary_expression", "subscript")


def _content(node: Node, source: bytes) -> None:
    raw = source[node.start_byte : node.end_byte].decode()
    if _HIDDEN.search(_ESCAPED.sub("", raw)):
        raise Unreadable("an expansion in a text is not in its syntax tree")


def _raw_string(node: Node, source: bytes) -> None:
    if b"'" in source[node.start_byte + 1 : node.end_byte - 1]:
        raise Unreadable("a quoted text is cut in an unexpected place")


def _comment(node: Node, source: bytes) -> None:
    before = source[node.start_byte - 1 : node.start_byte]
    if before not in (b"", b" ", b"\t", b"\n", b";"):
        raise Unreadable("a comment begins in an unexpected place")


def _expansion(node: Node, source: bytes) -> None:
    """`${x@P}` runs what x holds, `${!x}` follows it; both go by a value that is not known here."""
    raw = source[node.start_byte : node.end_byte].decode()
    if re.search(r"@[A-Za-z]\}$", raw) or raw.startswith("${!"):
        raise Unreadable("an expansion acts on what a variable holds")
    sets = re.match(r"\$\{(\w+):?=", raw)
    if sets and assigned(sets[1]).unknown:
        raise Unreadable("an expansion sets a variable that changes what commands run")


def _heredoc(node: Node, source: bytes) -> None:
    parts = {child.type: child for child in node.named_children}
    start, body, end = (parts.get(f"heredoc_{part}") for part in ("start", "body", "end"))
    if start is None or body is None or end is None:
        raise Unreadable("a here-document has no end")
    found = _HEREDOC.fullmatch((start.text or b"").decode())
    if not found:
        raise Unreadable("the end mark of a here-document is not plain")
    if not found[1] and body.named_children:
        raise Unreadable("a quoted here-document is cut in an unexpected place")
    if found[1] and not body.children:
        _content(body, source)
    dash = any(child.type == "<<-" for child in node.children)
    if _end_of_body(source, body.start_byte, mark=found[found.lastindex or 1], dash=dash) != end.end_byte:
        raise Unreadable("a here-document ends in an unexpected place")


def _end_of_body(source: bytes, start: int, *, mark: str, dash: bool) -> int:
    at = source.rfind(b"\n", 0, start) + 1
    for line in source[at:].split(b"\n"):
        if (line.lstrip(b"\t") if dash else line) == mark.encode():
            return at + len(line)
        at += len(line) + 1
    return -1


def _arithmetic(node: Node, source: bytes) -> None:
    """Bash runs substitutions inside the value of a variable that it computes with.

    Read only where every name is a loop's counter of this text or a number the shell itself keeps.
    """
    skipped = ("do_group", "compound_statement") if node.type == "c_style_for_statement" else ()
    parts = node.children[1:] if node.type == "subscript" else node.children
    names = {
        (found.text or b"").decode()
        for part in parts
        if part.type not in skipped
        for found, _ in _nodes(part, within="command_substitution")
        if found.type in _NAMES
    }
    names = {name for name in names if not name.isdigit()}
    loose = names - _SHELL_NUMBERS - _counters(source.decode())
    if any(name.isidentifier() for name in loose) or any("[" in name for name in loose):
        raise Unreadable("arithmetic on a variable whose value is not known")


_NAMES = frozenset({"variable_name", "word", "special_variable_name"})
_SHELL_NUMBERS = frozenset({"#", "?", "$", "RANDOM", "SECONDS", "LINENO", "EPOCHSECONDS", "UID", "PPID"})
_ASSIGNED = re.compile(r"(?<![\w$])([A-Za-z_]\w*)\+?=(\$\(\(|-?\d+(?=[\s;)]|$))?")
_SETTERS = re.compile(
    r"\b(?:read|printf|mapfile|readarray|declare|typeset|local|export|getopts|for|select)\b"
)


def _counters(text: str) -> frozenset[str]:
    """Variables that are given only numbers in this text, where nothing else could set them."""
    if _SETTERS.search(text.replace("for ((", "")):
        return frozenset()
    given: dict[str, bool] = {}
    for match in _ASSIGNED.finditer(text):
        given[match[1]] = given.get(match[1], True) and bool(match[2])
    return frozenset(name for name, number in given.items() if number)


def _compound(node: Node, source: bytes) -> None:
    if node.children and node.children[0].type == "((":
        _arithmetic(node, source)


def _comparison(node: Node, source: bytes) -> None:
    operator = next((child for child in node.children if child.type == "test_operator"), None)
    if operator is None or (operator.text or b"") not in (b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge"):
        return
    test = node.parent
    while test is not None and test.type != "test_command":
        test = test.parent
    if test is not None and test.children[0].type == "[[":
        _arithmetic(node, source)


_CHECKS = {
    "word": _word,
    "string_content": _content,
    "heredoc_content": _content,
    "raw_string": _raw_string,
    "comment": _comment,
    "expansion": _expansion,
    "heredoc_redirect": _heredoc,
    "arithmetic_expansion": _arithmetic,
    "c_style_for_statement": _arithmetic,
    "compound_statement": _compound,
    "binary_expression": _comparison,
    "subscript": _arithmetic,
}
