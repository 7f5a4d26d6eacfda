"""Every user task against every injection of a suite: how many hijacked runs are stopped. Prints nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from clearance import Client
from clearance.cli.demo.stage import Played, Stage


@dataclass(slots=True)
class Figures:
    """Counts over (user task, injection task) pairs.

    `scripted`: AgentDojo ships the calls that obey. `succeed`: of these, obeying reaches the attacker's goal
    without clearance. `stopped`: of these, not reached with it. `useful_before` and `useful_after`: of these,
    the user's own task is done without it and with it. `missed` counts what went through, by injection task.
    """

    pairs: int = 0
    scripted: int = 0
    succeed: int = 0
    stopped: int = 0
    useful_before: int = 0
    useful_after: int = 0
    missed: Counter[str] = field(default_factory=Counter)


def sweep(stage: Stage, client: Client) -> Figures:
    """Play every scripted pair without clearance, and each that succeeds once more with it."""
    figures = Figures()
    users, injections = stage.suite.user_tasks.values(), stage.suite.injection_tasks.values()
    for injection_task in injections:
        figures.pairs += len(users)
        if not stage.has_script(injection_task):
            continue
        for user_task in users:
            figures.scripted += 1
            scene = stage.injected(user_task, injection_task)
            control = stage.play(scene)
            if control.hijacked:
                _count(figures, injection_task.ID, control, stage.play(scene, client))
    return figures


def _count(figures: Figures, injection: str, control: Played, governed: Played) -> None:
    figures.succeed += 1
    figures.stopped += not governed.hijacked
    figures.useful_before += control.useful
    figures.useful_after += governed.useful
    if governed.hijacked:
        figures.missed[injection] += 1
