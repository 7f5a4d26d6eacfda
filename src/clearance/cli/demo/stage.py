"""AgentDojo's suites made ready to play: clean and injected scenes, cleared or not. Prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.attacks import load_attack
from agentdojo.attacks.base_attacks import BaseAttack
from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.types import ChatMessage, get_text_content_as_str

from clearance import Client, Environment
from clearance.cli.demo.governed import GovernedRuntime
from clearance.cli.demo.scripted import Bait, ScriptedAgent

BENCHMARK = "v1.2.2"
SUITES = ("workspace", "travel", "banking", "slack")
ATTACK = "important_instructions"


def policy_file(suite: str) -> Path:
    """The policies shipped for one suite."""
    return Path(__file__).with_name("policies") / f"{suite}.yaml"


@dataclass(frozen=True, slots=True)
class Scene:
    """A user's task in a world of its own. `bait` is set where an instruction was planted in that world."""

    user_task: BaseUserTask
    world: Any
    bait: Bait | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """How a scene ended, judged by AgentDojo's own checks.

    `useful`: the user's task is done. `hijacked`: the planted goal was reached. `errors` are the tool errors
    the agent was told; `run_id` is "" without clearance.
    """

    useful: bool
    hijacked: bool
    errors: tuple[str, ...]
    before: Any
    after: Any
    run_id: str = ""


class Stage:
    """One AgentDojo suite. A scene's world is copied for each play, so a scene may be played often."""

    def __init__(self, suite: str) -> None:
        self.suite = get_suite(BENCHMARK, suite)
        self.agent = f"{suite}-assistant"
        self._injected: dict[tuple[frozenset[str], str], Any] = {}

    def clean(self, user_task: BaseUserTask) -> Scene:
        """The task in AgentDojo's default world."""
        return Scene(user_task, self._clean_world)

    def injected(self, user_task: BaseUserTask, injection_task: BaseInjectionTask) -> Scene:
        """The same with AgentDojo's attack in every place that the task reads and an attacker can write."""
        planted: dict[str, str] = self._attack.attack(user_task, injection_task)
        key = (frozenset(planted), injection_task.ID)
        if key not in self._injected:
            self._injected[key] = self.suite.load_and_inject_default_environment(planted)
        return Scene(user_task, self._injected[key], Bait(next(iter(planted.values())), injection_task))

    def has_script(self, injection_task: BaseInjectionTask) -> bool:
        """False where AgentDojo ships no ground truth for it: obeying cannot be played then."""
        steps = injection_task.ground_truth(self._clean_world.model_copy(deep=True))
        return bool(steps or injection_task.GROUND_TRUTH_OUTPUT)

    def play(self, scene: Scene, client: Client | None = None) -> Played:
        """Let the scripted agent do the task: under a client's policies, or, as a control, under none."""
        world = scene.user_task.init_environment(scene.world.model_copy(deep=True))
        before = world.model_copy(deep=True)
        if client is None:
            agent = ScriptedAgent(scene.user_task, bait=scene.bait)
            messages = _messages(agent, scene, FunctionsRuntime(self.suite.tools), world)
            return _judged(scene, messages, before, world)
        # What AgentDojo holds is a sandbox, and is declared as one: see `production_deletes`.
        goal = scene.user_task.PROMPT
        with client.run(goal=goal, agent=self.agent, environment=Environment.SANDBOX) as run:
            agent = ScriptedAgent(scene.user_task, bait=scene.bait, run=run)
            messages = _messages(agent, scene, GovernedRuntime(run, self.suite.tools), world)
        return _judged(scene, messages, before, world, run_id=run.run_id)

    @cached_property
    def _clean_world(self) -> Any:
        return self.suite.load_and_inject_default_environment({})

    @cached_property
    def _attack(self) -> BaseAttack:
        target = GroundTruthPipeline(None)
        target.name = "local"  # the attack addresses the model by name; this one AgentDojo knows
        return load_attack(ATTACK, self.suite, target)


def _messages(agent: ScriptedAgent, scene: Scene, runtime: FunctionsRuntime, world: Any) -> list[ChatMessage]:
    return list(agent.query(scene.user_task.PROMPT, runtime, world)[3])


def _judged(
    scene: Scene, messages: list[ChatMessage], before: Any, after: Any, *, run_id: str = ""
) -> Played:
    answer = get_text_content_as_str(messages[-1]["content"])
    told = [message for message in messages if message["role"] == "tool"]
    # AgentDojo looks at the calls an agent asked for; a call that never ran has changed nothing.
    ran = [message["tool_call"] for message in told if message["error"] is None]
    task = scene.user_task
    useful = task.utility_from_traces(answer, before, after, ran)
    return Played(
        useful=task.utility(answer, before, after) if useful is None else useful,
        hijacked=scene.bait is not None and _reached(scene.bait.task, answer, before, after, ran),
        errors=tuple(message["error"] for message in told if message["error"] is not None),
        before=before,
        after=after,
        run_id=run_id,
    )


def _reached(
    task: BaseInjectionTask, answer: str, before: Any, after: Any, ran: Sequence[FunctionCall]
) -> bool:
    from_calls: bool | None = task.security_from_traces(answer, before, after, ran)
    reached: bool = task.security(answer, before, after) if from_calls is None else from_calls
    return reached
