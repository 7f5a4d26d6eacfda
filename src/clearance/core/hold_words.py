"""What an agent is told of an action that is held: who is asked, until when, and what to do then. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from clearance.core.holds import requirements
from clearance.core.model import Decision, Reason, Requirement


def reasons_of_held(decision: Decision, hold_id: str, expires_at: datetime) -> tuple[Reason, ...]:
    """The decision's reasons, the first of them with all that is needed to go on."""
    asked = " and ".join(map(_who, requirements(decision)))
    until = f"{expires_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    first = decision.reasons[0]
    told = (
        f"{first.message.rstrip()} Held as {hold_id}; nothing was run. Asked until {until}: {asked}. "
        f'Once it is answered, send the same call again with hold_id="{hold_id}".'
    )
    return (replace(first, message=told), *decision.reasons[1:])


def _who(asked: Requirement) -> str:
    team = f" of team {asked.team}" if asked.team else ""
    some = f"{asked.count} people with the role" if asked.count > 1 else "somebody with the role"
    return f"{some} {asked.role.value}{team} (policy {asked.policy})"
