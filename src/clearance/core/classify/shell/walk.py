"""The syntax tree of one command line, part by part. What a shell would run, in any branch, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from tree_sitter import Node

from clearance.core.classify.found import NOTHING, opaque, thing, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.grammar import Unreadable
from clearance.core.classify.shell.redirect import redirected
from clearance.core.classify.shell.variables import assigned
from clearance.core.classify.shell.words import Word, literal, word_of
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_ISOLATED = frozenset({"subshell", "pipeline", "command_substitution", "process_substitution"})
_UNSURE = frozenset({"if_statement", "case_statement"})
_REPEATED = frozenset({"while_statement", "for_statement", "c_style_for_statement", "function_definition"})
_WORDS_LIST = """
    word number string raw_string ansi_c_string concatenation simple_expansion expansion
    command_substitution process_substitution arithmetic_expansion brace_expression
"""
_WORDS = frozenset(_WORDS_LIST.split())
# Loops that change the directory are visited twice, so nested ones would take exponential time.
_MOST_VISITS = 50_000
_LEAVES = frozenset({"exit", "return", "break", "continue"})


class Walk:
    """Visits one tree, and knows the directory, the variables and the functions at each place."""

    def __init__(self, reader: Reader, around: Call) -> None:
        self._reader = reader
        self._around = around
        self._directory = around.directory
        self._variables = dict(around.variables)
        self._functions = set(around.functions)
        self._visits = 0

    def visit(self, node: Node) -> Classification:
        self._visits += 1
        if self._visits > _MOST_VISITS:
            raise Unreadable("the command has too many parts")
        match node.type:
            case "command":
                return self._command(node, stdin=None)
            case "redirected_statement":
                return self._redirected(node)
            case "file_redirect":
                return self._redirect(node)
            case "variable_assignment":
                return self._assignment(node)
            case "declaration_command":
                return self._declaration(node)
            case "unset_command":
                return union(*(assigned(_text(child)) for child in node.named_children))
            case "function_definition":
                return self._function(node)
            case "list":
                return self._list(node)
            case "for_statement":
                return union(assigned(_text(node.named_children[0])), self._compound(node))
            case _:
                return self._compound(node)

    def _compound(self, node: Node) -> Classification:
        before = self._directory
        found = self._children(node.children)
        if node.type in _ISOLATED:
            self._directory = before
        elif self._directory != before and node.type in _UNSURE | _REPEATED:
            self._directory = None
            if node.type in _REPEATED:
                found = union(found, self._children(node.children))
        return found

    def _children(self, children: Sequence[Node]) -> Classification:
        found = []
        before = self._directory
        for child in children:
            if child.is_named:
                before = self._directory
                found.append(self.visit(child))
            elif child.type == "&":  # what came before runs in a shell of its own
                self._directory = before
        return union(*found)

    def _list(self, node: Node) -> Classification:
        """After `a || b`, the directory is a's or b's; b's does not count where b leaves."""
        if len(node.children) != 3:
            return opaque("a list of commands has an unknown shape")
        left, operator, right = node.children
        found = self.visit(left)
        after_left = self._directory
        found = union(found, self.visit(right))
        if operator.type == "||" and self._directory != after_left:
            self._directory = None
        if operator.type == "||" and _text(right).split(" ", 1)[0] not in _LEAVES and _changes(left):
            self._directory = None
        return found

    def _command(self, node: Node, *, stdin: str | None) -> Classification:
        words: list[Word] = []
        found: list[Classification] = []
        variables = dict(self._variables)
        for child in node.children:
            if child.type == "variable_assignment":
                found.append(self._assignment(child, variables))
            elif child.type == "herestring_redirect":
                found.append(self._children(child.children))
                stdin = word_of(child.named_children[-1]).plain
            elif child.type == "file_redirect":
                found.append(self._redirect(child))
            elif child.type == "command_name" or child.type in _WORDS:
                words.append(word_of(child))
                found.append(self._inside(child))
            else:
                return opaque("a command has a part that is not reviewed")
        call = self._call(words, stdin=stdin, variables=variables)
        found.append(self._reader.words(words, call))
        self._move(words)
        return union(*found)

    def _call(self, words: Iterable[Word], *, stdin: str | None, variables: dict[str, Word]) -> Call:
        return replace(
            self._around,
            words=tuple(words),
            directory=self._directory,
            stdin=stdin,
            variables=variables,
            functions=frozenset(self._functions),
        )

    def _inside(self, word: Node) -> Classification:
        """The commands that run so that a word can be made."""
        if word.type in ("command_substitution", "process_substitution"):
            return self.visit(word)
        return self._children(word.children) if word.named_children else NOTHING

    def _redirected(self, node: Node) -> Classification:
        stdin: str | None = None
        found: list[Classification] = []
        body, *redirects = node.children
        if body.type == "file_redirect":
            body, redirects = None, [body, *redirects]  # type: ignore[assignment]
        for redirect in redirects:
            if redirect.type == "heredoc_redirect":
                if any(child.type in _WORDS for child in redirect.named_children):
                    return opaque("words follow the mark of a here-document")
                stdin = _document(redirect)
            elif redirect.type == "herestring_redirect":
                stdin = word_of(redirect.named_children[-1]).plain
        before = self._directory
        if body is not None:
            found.append(self._command(body, stdin=stdin) if body.type == "command" else self.visit(body))
        after, self._directory = self._directory, before
        found.append(self._children(redirects))
        self._directory = after
        return union(*found)

    def _redirect(self, node: Node) -> Classification:
        target = node.named_children[-1] if node.named_children else None
        operator = next((child.type for child in node.children if not child.is_named), "")
        if target is None or target.type == "file_descriptor":
            return NOTHING if operator in (">&-", "<&-") else opaque("a redirection has no target")
        call = self._call((), stdin=None, variables={})
        return union(redirected(operator, word_of(target), call), self._inside(target))

    def _assignment(self, node: Node, into: dict[str, Word] | None = None) -> Classification:
        name, value = node.named_children[0], node.named_children[-1]
        word = word_of(value) if value.type in _WORDS and value is not name else literal("")
        variables = self._variables if into is None else into
        if name.type == "variable_name":
            variables[_text(name)] = word
        inside = [self._children(name.children)]
        if value is not name:
            inside.append(self._inside(value))
        texts = [word_of(part) for part in value.named_children] if value.type == "array" else [word]
        label = _text(name.named_children[0]) if name.type == "subscript" else _text(name)
        return union(*inside, *(assigned(label, text) for text in texts or [word]))

    def _declaration(self, node: Node) -> Classification:
        found = []
        for child in node.named_children:
            if child.type == "variable_assignment":
                found.append(self._assignment(child))
            elif child.type == "variable_name":
                found.append(assigned(_text(child)))
            elif not (child.type == "word" and _text(child) in ("-x", "-r", "-a", "-A", "-g", "-p", "-xr")):
                return opaque("a declaration has an option or a name that is not read")
        return union(*found)

    def _function(self, node: Node) -> Classification:
        """A body counts where it is defined. Only a function at the top of the text is known later."""
        name = _text(node.named_children[0])
        call = thing("command", name, Operation.EXECUTE)
        before = self._directory
        found = union(*(self.visit(child) for child in node.named_children[1:]))
        if self._directory != before:
            self._directory = None
            found = union(found, *(self.visit(child) for child in node.named_children[1:]))
        if call in found.objects:
            return union(found, opaque("a function runs itself"))
        if node.parent is not None and node.parent.type == "program":
            self._functions.add(name)
        return found

    def _move(self, words: Sequence[Word]) -> None:
        name = words[0].plain if words else None
        if name not in ("cd", "pushd", "popd", "chdir"):
            return
        operands = [word for word in words[1:] if word.plain not in ("-P", "-L", "-e", "--")]
        to = operands[0].plain if len(operands) == 1 and name in ("cd", "chdir") else None
        if to is None or to.startswith("-") or "$" in to:
            self._directory = None
        elif to.startswith(("/", "~")):
            self._directory = to
        elif self._directory is not None:
            self._directory = f"{self._directory}/{to}" if self._directory else to


def _document(node: Node) -> str | None:
    """The text of a here-document, where nothing in it is expanded."""
    parts = {child.type: child for child in node.named_children}
    body, mark = _text(parts["heredoc_body"]), _text(parts["heredoc_start"])
    if any(child.type == "<<-" for child in node.children):
        body = "".join(line.lstrip("\t") for line in body.splitlines(keepends=True))
    quoted = not mark.isidentifier()
    return body if quoted or not set("$`\\").intersection(body) else None


def _changes(node: Node) -> bool:
    return any(word in ("cd", "pushd", "popd") for word in _text(node).split())


def _text(node: Node) -> str:
    return (node.text or b"").decode()
