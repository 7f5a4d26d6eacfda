"""What an operator declared about a tool: enough to read its calls without guessing."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from clearance.core.model.action import Operation
from clearance.core.model.facts import FactValue
from clearance.core.model.resource import Environment


class Family(StrEnum):
    """How a tool's main argument is to be read."""

    GENERIC = "generic"
    SQL = "sql"
    HTTP = "http"
    FILE = "file"
    SHELL = "shell"
    MESSAGE = "message"


class FactSpec(Struct, frozen=True, kw_only=True):
    """Where a declared fact comes from: one of a constant, an argument's value, an argument's length."""

    constant: FactValue = None
    value_of: str = ""  # argument path
    count_of: str = ""  # argument path: length of a list, 1 for a single value


class ToolSpec(Struct, frozen=True, kw_only=True):
    """One entry of a policy file's `tools:`. Declarations win over what a name suggests.

    `argument` names the argument that holds the SQL, command, URL, path or recipients.
    `resource` is a template over argument paths, `kind:name` as ever: `account:{recipient}`.
    """

    name: str
    operation: Operation | None = None
    family: Family | None = None
    argument: str = ""
    resource: str = ""
    environment: Environment | None = None
    facts: dict[str, FactSpec] = {}
