"""Reads one entry of `tools:` as a ToolSpec."""

from __future__ import annotations

import re

from clearance.core.model import Environment, FactSpec, Family, Operation, ToolSpec
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, excerpt
from clearance.core.policy.values import is_path
from clearance.core.policy.vocabulary import is_fact_name

TOOL_KEYS = ("operation", "family", "argument", "resource", "environment", "facts")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def read_tool(name: str, at: Located, reader: Reader) -> ToolSpec:
    """The declaration; what was refused is noted and left out."""
    what = f"tools {excerpt(name)}"
    fields = {} if at.value is None else reader.fields(at, what, TOOL_KEYS)
    operation = fields.get("operation")
    family = fields.get("family")
    environment = fields.get("environment")
    return ToolSpec(
        name=name,
        operation=reader.choice(operation, Operation, "operation") if operation else None,
        family=reader.choice(family, Family, "family") if family else None,
        argument=_path(fields["argument"], f"{what} argument", reader) if "argument" in fields else "",
        resource=_template(fields["resource"], reader) if "resource" in fields else "",
        environment=reader.choice(environment, Environment, "environment") if environment else None,
        facts=_facts(fields["facts"], what, reader) if "facts" in fields else {},
    )


def _path(at: Located, what: str, reader: Reader) -> str:
    path = reader.text(at, what)
    if path and not is_path(path):
        message = f'"{excerpt(path)}" is no argument path; write names and * with dots between.'
        reader.refuse(ProblemCode.BAD_VALUE, message, at)
    return path


def _template(at: Located, reader: Reader) -> str:
    template = reader.text(at, "resource")
    paths = _PLACEHOLDER.findall(template)
    rest = _PLACEHOLDER.sub("", template)
    if not all(map(is_path, paths)) or "{" in rest or "}" in rest:
        message = "resource is a template such as account:{recipient}; the braces hold an argument path."
        reader.refuse(ProblemCode.BAD_VALUE, message, at)
    return template


def _facts(at: Located, what: str, reader: Reader) -> dict[str, FactSpec]:
    specs = {}
    for name, child in reader.mapping(at, f"{what} facts").items():
        if names_a_fact(name, child, reader):
            specs[name] = _fact(child, f"{what} facts {name}", reader)
    return specs


def names_a_fact(name: str, at: Located, reader: Reader) -> bool:
    """Whether a fact may be called this; notes a problem when it may not."""
    if is_fact_name(name):
        return True
    message = (
        f'"{excerpt(name)}" cannot name a fact: lower case letters, digits and _, no word of a condition.'
    )
    reader.refuse(ProblemCode.BAD_VALUE, message, at)
    return False


def _fact(at: Located, what: str, reader: Reader) -> FactSpec:
    if not isinstance(at.value, dict):
        return FactSpec(constant=reader.scalar(at, what))
    fields = reader.fields(at, what, ("value", "count"))
    if len(fields) != 1:
        message = f"{what} takes one of value and count, each an argument path."
        reader.refuse(ProblemCode.MISSING_KEY, message, at)
        return FactSpec()
    (kind, child), *_ = fields.items()
    path = _path(child, f"{what} {kind}", reader)
    return FactSpec(value_of=path) if kind == "value" else FactSpec(count_of=path)
