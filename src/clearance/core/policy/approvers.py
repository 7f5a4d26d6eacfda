"""Reads `approval`: whose yes a policy with rule require_approval asks for, how many, and until when."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from clearance.core.model import Role
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, did_you_mean, excerpt, shape

APPROVAL_KEYS: Final = ("role", "team", "count", "four_eyes", "expires_seconds")
# A viewer and an auditor change nothing: asked for, nobody could ever say yes.
APPROVING: Final = (Role.APPROVER, Role.OPERATOR, Role.ADMIN)
MOST_APPROVERS: Final = 10
MOST_SECONDS: Final = 30 * 86_400


class Asked(Struct, frozen=True, kw_only=True):
    """The parts of an Approval as written, or as they are when nothing is written."""

    role: Role = Role.APPROVER
    team: str = ""
    count: int = 1
    four_eyes: bool = True
    expires_seconds: float = 3600.0


def read_asked(at: Located, reader: Reader) -> Asked:
    """What is wrong is noted, and stands at its default."""
    fields = reader.fields(at, "approval", APPROVAL_KEYS)
    if at.value == {}:
        message = f"approval sets none of {', '.join(APPROVAL_KEYS)}."
        reader.refuse(ProblemCode.MISSING_KEY, message, at)
    standard = Asked()
    count = _count(fields["count"], reader) if "count" in fields else None
    seconds = _seconds(fields["expires_seconds"], reader) if "expires_seconds" in fields else None
    return Asked(
        role=_role(fields["role"], reader) if "role" in fields else standard.role,
        team=reader.name(fields["team"], "approval team") if "team" in fields else standard.team,
        count=count or standard.count,
        four_eyes=_flag(fields["four_eyes"], reader) if "four_eyes" in fields else standard.four_eyes,
        expires_seconds=seconds or standard.expires_seconds,
    )


def _role(at: Located, reader: Reader) -> Role:
    text = reader.text(at, "approval role")
    if text in APPROVING:
        return Role(text)
    if text:
        message = f'Nobody of role "{excerpt(text)}" can approve.'
        reader.refuse(ProblemCode.UNKNOWN_ROLE, message, at, suggestion=did_you_mean(text, APPROVING))
    return Role.APPROVER


def _count(at: Located, reader: Reader) -> int | None:
    return reader.whole(at, "approval count", least=1, most=MOST_APPROVERS)


def _flag(at: Located, reader: Reader) -> bool:
    if isinstance(at.value, bool):
        return at.value
    reader.refuse(ProblemCode.BAD_TYPE, f"approval four_eyes must be true or false, not {shape(at)}.", at)
    return True


def _seconds(at: Located, reader: Reader) -> float | None:
    seconds = reader.number(at, "approval expires_seconds", least=0)
    if seconds is None or 0 < seconds <= MOST_SECONDS:
        return seconds
    message = f"approval expires_seconds must be more than 0 and at most {MOST_SECONDS} (30 days)."
    reader.refuse(ProblemCode.NUMBER_OUT_OF_RANGE, message, at)
    return None
