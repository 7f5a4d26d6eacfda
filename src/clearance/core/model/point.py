"""Where in an agent's step a policy is asked: before or after a call of the model, before or after a tool."""

from __future__ import annotations

from enum import StrEnum

from clearance.core.model.action import Operation


class Point(StrEnum):
    """One interception point, named as the agent-hooks draft names it. PRE is the rule where none is said."""

    PRE_MODEL_CALL = "pre_model_call"
    POST_MODEL_CALL = "post_model_call"
    PRE_TOOL_CALL = "pre_tool_call"
    POST_TOOL_CALL = "post_tool_call"


BEFORE = frozenset({Point.PRE_MODEL_CALL, Point.PRE_TOOL_CALL})
AFTER = frozenset({Point.POST_MODEL_CALL, Point.POST_TOOL_CALL})


def point_after(operation: Operation) -> Point:
    """Where the result of an action is judged: everything that is no model call is a tool call."""
    return Point.POST_MODEL_CALL if operation is Operation.MODEL_CALL else Point.POST_TOOL_CALL
