"""An agent without a language model: plays AgentDojo's ground truth, and obeys what it reads on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask
from agentdojo.functions_runtime import EmptyEnv, FunctionCall, FunctionsRuntime
from agentdojo.types import (
    ChatAssistantMessage,
    ChatMessage,
    ChatToolResultMessage,
    text_content_block_from_string,
)

from clearance import Run
from clearance.cli.demo.governed import plain

MODEL = "scripted:ground-truth"


@dataclass(frozen=True, slots=True)
class Bait:
    """An instruction planted in the environment, and the task whose ground truth obeys it."""

    text: str
    task: BaseInjectionTask


class ScriptedAgent(BasePipelineElement):  # type: ignore[misc]  # AgentDojo ships no types
    """Plays the task's ground truth, call by call; a call that fails is followed by the next one.

    Once the bait has stood in a tool's result, the bait's own calls come first: the worst a hijacked model
    could do. With a run, each step is recorded as a call to the model named `scripted:ground-truth`.
    """

    def __init__(self, task: BaseUserTask, *, bait: Bait | None = None, run: Run | None = None) -> None:
        self._task = task
        self._bait = bait
        self._run = run

    def query(
        self,
        query: str,
        runtime: FunctionsRuntime,
        env: Any = EmptyEnv(),  # noqa: B008  # AgentDojo's signature, here and below
        messages: Sequence[ChatMessage] = (),
        extra_args: Mapping[str, Any] | None = None,
    ) -> tuple[str, FunctionsRuntime, Any, Sequence[ChatMessage], Mapping[str, Any]]:
        """AgentDojo's contract: the messages come back with one pair for each call, and the answer last."""
        steps = deque(self._task.ground_truth(env))
        answer = self._task.GROUND_TRUTH_OUTPUT
        bait = self._bait
        said: list[ChatMessage] = []
        news: dict[str, Any] = {"role": "user", "content": query}
        while steps:
            call = steps.popleft()
            self._record(news, {"tool": call.function, "arguments": plain(call.args)})
            result, error = runtime.run_function(env, call.function, call.args)
            said += _exchange(call, tool_result_to_str(result), error)
            news = {"role": "tool", "tool": call.function} | (
                {"error": error} if error else {"content": plain(result)}
            )
            if bait is not None and _words(bait.text) in _words(*_texts(plain(result))):
                steps.extendleft(reversed(bait.task.ground_truth(env)))
                answer = f"{answer}\n{bait.task.GROUND_TRUTH_OUTPUT}".strip()
                bait = None
        self._record(news, {"answer": answer})
        return query, runtime, env, [*messages, *said, _assistant(answer, None)], extra_args or {}

    def _record(self, news: dict[str, Any], answer: dict[str, Any]) -> None:
        """One step of the script as a model call: what a model would be shown next, what the script says."""
        if self._run is not None:
            self._run.model_call(MODEL, lambda **_: answer, [news])


def _exchange(call: FunctionCall, result: str, error: str | None) -> list[ChatMessage]:
    told = ChatToolResultMessage(
        role="tool",
        content=[text_content_block_from_string(result)],
        tool_call=call,
        tool_call_id=None,
        error=error,
    )
    return [_assistant("", [call]), told]


def _assistant(text: str, calls: list[FunctionCall] | None) -> ChatMessage:
    content = [text_content_block_from_string(text)]
    return ChatAssistantMessage(role="assistant", content=content, tool_calls=calls)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _words(*texts: str) -> str:
    """One spelling of white space: AgentDojo's environments fold the lines of what is injected."""
    return " ".join(" ".join(texts).split())
