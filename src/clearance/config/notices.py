"""Who is told of holds, brakes and broken glass: the `notices:` list of clearance.yaml. Knows no adapter."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

NoticeKind = Literal[
    "hold_opened", "hold_closed", "brake_set", "brake_lifted", "glass_broken", "glass_ended", "tool_changed"
]
NOTICE_KINDS: tuple[str, ...] = get_args(NoticeKind)
ReceiverName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w-]+$")]


class NoticeReceiver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One receiver. `name` is for good: what waits for it is kept under it. No `events` means every kind.

    The secret stands in an environment variable or in a file, never here. In `link`, `{hold_id}` is replaced.
    """

    name: ReceiverName
    url: str
    kind: Literal["webhook"] = "webhook"
    events: tuple[NoticeKind, ...] = ()
    secret_env: str = ""
    secret_file: str = ""
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 5.0
    link: str = ""

    def wants(self, kind: str) -> bool:
        """Whether it is to be told of this."""
        return not self.events or kind in self.events

    def link_to(self, hold_id: str) -> str:
        """Where a person reads of this hold; empty without a template, or without a hold."""
        return self.link.replace("{hold_id}", hold_id) if hold_id else ""
