"""What is asked for: one verb, the tool that would do it, and its arguments; free of any wire protocol."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Operation(StrEnum):
    """The verb of an action. UNKNOWN is the highest class: it matches every rule that limits any verb."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    DDL = "ddl"
    SEND = "send"
    EXECUTE = "execute"
    ADMIN = "admin"
    MODEL_CALL = "model_call"
    RESTORE = "restore"  # put back what was saved; never read from a name, only said by who restores
    UNKNOWN = "unknown"


class Action(Struct, frozen=True, kw_only=True):
    """One tool call or model call. `tool` is the name as the agent called it; `arguments` are JSON values.

    `written` is the JSON of the arguments, where they are nothing else; empty where that is not known.
    """

    tool: str
    operation: Operation
    arguments: dict[str, Any] = {}
    written: bytes = b""
