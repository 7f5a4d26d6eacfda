"""One model call under way: what it was cleared as, what it works with, and how it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clearance.config.models import ModelSettings
from clearance.core.model import CheckResult, Judged, OutcomeReport
from clearance.gateway.ending import Ending
from clearance.gateway.model_proxy.arriving import Arrived
from clearance.gateway.model_proxy.conversation import Conversations
from clearance.gateway.model_proxy.outcome import Timing
from clearance.gateway.model_proxy.prices import Prices
from clearance.gateway.model_proxy.proposals import Proposals, Within
from clearance.gateway.model_proxy.routing import Routes
from clearance.gateway.model_proxy.sending import Sender
from clearance.gateway.passage import Passage
from clearance.gateway.upstream.pool import Upstreams
from clearance.runtime.runs import Run


@dataclass(frozen=True, slots=True)
class Parts:
    """What every call of this door works with."""

    passage: Passage
    settings: ModelSettings
    upstreams: Upstreams
    sender: Sender
    routes: Routes
    prices: Prices
    proposals: Proposals
    conversations: Conversations
    ending: Ending


@dataclass(slots=True)
class Call:
    """One call that was cleared and is under way. `sent` is the body as the provider gets it."""

    asked: Arrived
    run: Run
    check: CheckResult
    sent: dict[str, Any] | None  # None: as the client wrote it
    by_provider: list[str]
    is_closed: bool = False
    timing: Timing = field(default_factory=Timing)

    def let_go(self) -> None:
        """The request was sent, and is in the record: an answer that takes long need not keep it too."""
        self.asked, self.sent = self.asked.without_body(), None

    @property
    def within(self) -> Within:
        """Where the tool calls of its answer belong."""
        return Within(principal=self.asked.principal, run_id=self.run.run_id, parent_id=self.check.action_id)


async def close(
    parts: Parts,
    call: Call,
    report: OutcomeReport,
    *,
    measured: Mapping[str, float],
    judged: Judged | None = None,
) -> None:
    """The outcome of the call, and of what the provider ran within it: before the client sees the end."""
    await parts.proposals.ended(call.by_provider, report.status, report.error)
    call.is_closed = True
    await parts.passage.told(call.check.action_id, report, measured=measured, judged=judged)
