"""What came back from a model or a tool, as the agent may see it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clearance.core.model.decision import Decision


class Judged(Struct, frozen=True, kw_only=True):
    """`value` is what may be shown: the result itself, or a copy without what `redacted` names.

    `decision` is None where no policy looks at results of this action. When it refuses, `value` is None: the
    action did run, and nobody sees what came of it.
    """

    value: Any
    decision: Decision | None = None
    redacted: tuple[str, ...] = ()

    @property
    def withheld(self) -> bool:
        return self.decision is not None and self.decision.effect.value == "deny"

    @property
    def reason(self) -> str:
        """The sentence that the agent is told where the result is withheld."""
        return self.decision.reasons[0].message if self.decision is not None else ""

    @property
    def reason_code(self) -> str:
        return self.decision.reasons[0].code.value if self.decision is not None else ""


class ResultRules(Struct, frozen=True, kw_only=True):
    """What a door has to watch for while a result still flows.

    `patterns` (names from `patterns.NAMED`) are taken out of every text as it passes. With `whole`, some
    policy looks at all of it: nothing may be shown before `judge_result` has seen everything.
    """

    patterns: tuple[str, ...] = ()
    whole: bool = False


NO_RULES = ResultRules()
