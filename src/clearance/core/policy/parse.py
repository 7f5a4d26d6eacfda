"""Located trees to declarations: policies, tools, roles, agents, facts. Conditions stay unread."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from clearance.core.model import Mode, Point, Rule, ToolSpec
from clearance.core.model.names import canonical
from clearance.core.policy.breaking import KEYS as BREAKER_KEYS
from clearance.core.policy.breaking import Breaking, read_breaking
from clearance.core.policy.located import Located, locate_value, locate_yaml, plain
from clearance.core.policy.matching import is_glob
from clearance.core.policy.obligations import Owed, read_owed
from clearance.core.policy.points import read_points
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, excerpt
from clearance.core.policy.tools import names_a_fact, read_tool
from clearance.errors import Problem

VERSION = 1
DOCUMENT_KEYS = ("version", "facts", "tools", "roles", "agents", "policies")
POLICY_KEYS = (
    "name",
    "rule",
    "condition",
    "when",
    "at",
    "mode",
    "message",
    "description",
    "on_unknown",
    "redact",
    "limit",
    *BREAKER_KEYS,
    "approval",
    "origin",
)
# What verdicts of scopes are called; a policy of that name could be taken for one.
SCOPE_NAME = "scope"
_MAX_MESSAGE = 1_000


class Origin(StrEnum):
    """Who a policy is from. Only what a person wrote can open anything; the others narrow."""

    WRITTEN = "written"
    LEARNED = "learned"
    GENERATED = "generated"


class Document(Struct, frozen=True):
    """One text or value, read but not yet understood. `problems` are those of its syntax."""

    file: str
    roots: tuple[Located, ...]
    problems: tuple[Problem, ...] = ()


class PolicyEntry(Struct, frozen=True, kw_only=True):
    """One policy as declared, its condition unread."""

    at: Located
    name: str
    rule: Rule
    mode: Mode
    message: str
    description: str
    skips_unknown: bool
    condition: Located | None
    when: Located | None
    owed: Owed
    breaking: Breaking | None = None
    origin: Origin = Origin.WRITTEN
    points: frozenset[Point] = frozenset()


class Holder(Struct, frozen=True, kw_only=True):
    """A role or an agent as declared. `may` is None when nothing is said about what it may do."""

    at: Located
    name: str
    may: tuple[Located, ...] | None
    roles: tuple[str, ...] = ()
    roles_at: Located | None = None


class Declarations:
    """Everything that a set of documents declares. What stands twice is kept twice, to be read in full."""

    def __init__(self) -> None:
        self.facts: set[str] = set()
        self.tools: dict[str, ToolSpec] = {}
        self.roles: list[Holder] = []
        self.agents: list[Holder] = []
        self.policies: list[PolicyEntry] = []
        self.sources: dict[str, dict[str, Any]] = {"tools": {}, "roles": {}, "agents": {}}
        self._named: dict[tuple[str, str], Located] = {}

    def claim(self, kind: str, name: str, at: Located, reader: Reader) -> None:
        """Note a problem when the name is taken."""
        first = self._named.setdefault((kind, name), at)
        if name and first is not at:
            where = f"{first.file}:{first.line}" if first.line else first.file
            message = f'The name "{excerpt(name)}" stands already under {kind} in {where}.'
            reader.refuse(ProblemCode.DUPLICATE_NAME, message, at)


def parse_yaml(text: str, file: str) -> Document:
    """Read a policy file. Never raises: what is wrong is reported when the document is compiled."""
    return Document(file, *locate_yaml(text, file))


def parse_value(value: Any, source: str = "<api>") -> Document:
    """Read plain values of the same form: a document, a list of policies, or one policy. Never raises."""
    return Document(source, *locate_value(value, source))


def declare(document: Document, declarations: Declarations, reader: Reader) -> None:
    """Add what a document declares; note what is wrong with it."""
    reader.problems.extend(document.problems)
    for root in document.roots:
        _declare_root(root, declarations, reader)


def _declare_root(root: Located, declarations: Declarations, reader: Reader) -> None:
    if root.value is None:
        return
    if isinstance(root.value, tuple):
        _declare_policies(root, declarations, reader)
        return
    keys = reader.mapping(root, "A policy document").keys()
    if keys & set(POLICY_KEYS) and not keys & set(DOCUMENT_KEYS):
        _declare_policy(root, declarations, reader)
        return
    fields = reader.fields(root, "A policy document", DOCUMENT_KEYS)
    if "version" in fields and (fields["version"].value is True or fields["version"].value != VERSION):
        message = f"This version of the policy language is not known; write version: {VERSION}."
        reader.refuse(ProblemCode.UNSUPPORTED_VERSION, message, fields["version"])
    if "facts" in fields:
        _declare_facts(fields["facts"], declarations, reader)
    if "tools" in fields:
        _declare_tools(fields["tools"], declarations, reader)
    for kind in ("roles", "agents"):
        if kind in fields:
            _declare_holders(kind, fields[kind], declarations, reader)
    if "policies" in fields:
        _declare_policies(fields["policies"], declarations, reader)


def _declare_facts(at: Located, declarations: Declarations, reader: Reader) -> None:
    for child in reader.items(at, "facts"):
        name = reader.text(child, "A fact")
        if name and names_a_fact(name, child, reader):
            declarations.facts.add(name)


def _declare_tools(at: Located, declarations: Declarations, reader: Reader) -> None:
    for written, child in reader.mapping(at, "tools").items():
        name = canonical(written)
        if not name or "*" in name or "?" in name or "[" in name:
            reader.refuse(ProblemCode.BAD_VALUE, f'"{excerpt(written)}" cannot name a tool.', child)
            continue
        declarations.claim("tools", name, child, reader)
        spec = declarations.tools[name] = read_tool(name, child, reader)
        declarations.facts.update(spec.facts)
        declarations.sources["tools"][name] = plain(child)


def _declare_holders(kind: str, at: Located, declarations: Declarations, reader: Reader) -> None:
    holders = declarations.roles if kind == "roles" else declarations.agents
    known = ("may",) if kind == "roles" else ("may", "roles")
    for name, child in reader.mapping(at, kind).items():
        what = f"{kind} {excerpt(name)}"
        if not name.strip() or is_glob(name):
            message = f"A name under {kind} is exact and not empty; for a glob write an allow policy."
            reader.refuse(ProblemCode.BAD_VALUE, message, child)
        fields = {} if child.value is None else reader.fields(child, what, known)
        may = reader.items(fields["may"], f"{what} may") if "may" in fields else None
        roles = reader.texts(fields["roles"], f"{what} roles") if "roles" in fields else ()
        declarations.claim(kind, name, child, reader)
        holders.append(Holder(at=child, name=name, may=may, roles=roles, roles_at=fields.get("roles")))
        declarations.sources[kind][name] = plain(child)


def _declare_policies(at: Located, declarations: Declarations, reader: Reader) -> None:
    for child in reader.items(at, "policies") if at.value is not None else ():
        _declare_policy(child, declarations, reader)


def _declare_policy(at: Located, declarations: Declarations, reader: Reader) -> None:
    fields = reader.fields(at, "A policy", POLICY_KEYS)
    for key in ("name", "rule"):
        if isinstance(at.value, dict) and key not in fields:
            reader.refuse(ProblemCode.MISSING_KEY, f"A policy needs a {key}.", at)
    name = reader.name(fields["name"], "name") if "name" in fields else ""
    declarations.claim("policies", name, fields.get("name", at), reader)
    if name == SCOPE_NAME:
        message = f'"{SCOPE_NAME}" is what verdicts of allow lists are called; choose another name.'
        reader.refuse(ProblemCode.BAD_VALUE, message, fields["name"])
    rule = reader.choice(fields["rule"], Rule, "rule") if "rule" in fields else None
    mode = reader.choice(fields["mode"], Mode, "mode") if "mode" in fields else Mode.ENFORCE
    origin = reader.choice(fields["origin"], Origin, "origin") if "origin" in fields else Origin.WRITTEN
    skips_unknown = _skips_unknown(rule, fields, reader)
    texts = {key: _text(key, fields, reader) for key in ("message", "description")}
    owed = read_owed(rule, at, fields, reader)
    declarations.policies.append(
        PolicyEntry(
            at=at,
            name=name,
            rule=rule or Rule.BLOCK,
            mode=mode or Mode.ENFORCE,
            message=texts["message"],
            description=texts["description"],
            skips_unknown=skips_unknown,
            condition=fields.get("condition"),
            when=fields.get("when"),
            owed=owed,
            breaking=read_breaking(rule, at, fields, reader),
            origin=origin or Origin.LEARNED,
            points=read_points(rule, fields, owed, reader),
        )
    )


def _skips_unknown(rule: Rule | None, fields: dict[str, Located], reader: Reader) -> bool:
    if "on_unknown" not in fields:
        return False
    at = fields["on_unknown"]
    if rule is Rule.ALLOW:
        message = "on_unknown has no place in an allow policy: what cannot be known is never allowed."
        reader.refuse(ProblemCode.MISPLACED_KEY, message, at)
    word = reader.text(at, "on_unknown")
    if word and word not in ("match", "skip"):
        message = "on_unknown must be match or skip."
        reader.refuse(ProblemCode.UNKNOWN_CHOICE, message, at)
    return word == "skip"


def _text(key: str, fields: dict[str, Located], reader: Reader) -> str:
    if key not in fields:
        return ""
    text = reader.text(fields[key], key)
    if len(text) > _MAX_MESSAGE:
        message = f"{key} must be at most {_MAX_MESSAGE} characters long."
        reader.refuse(ProblemCode.TOO_LARGE, message, fields[key])
    return text
