"""Where people answer: the store itself, as whoever owns it, or a server, as whoever the token proves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from clearance.cli.target import Target
from clearance.core.model import AnswerKind, Grant, HoldView, Record
from clearance.errors import NotFoundError, RequestError
from clearance.ports import HoldQuery

if TYPE_CHECKING:
    from clearance.sdk.embedded import EmbeddedBackend
    from clearance.sdk.remote import RemoteBackend

_SEARCHED = 1_000  # newest holds among which the beginning of an id is looked for
_VERB = {AnswerKind.APPROVE: "approve", AnswerKind.DENY: "deny"}


class GrantWanted(Struct, frozen=True, kw_only=True):
    """What a grant is to allow; the fields of the HTTP body."""

    agent: str
    tool: str
    policies: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    most_records: int | None = None
    most_uses: int = 1
    seconds: float = 1_800.0
    reason: str = ""


class Desk(Protocol):
    """What a person does with holds and grants. All raise ClearanceError."""

    def hold(self, hold_id: str) -> HoldView: ...

    def holds(self, query: HoldQuery) -> list[HoldView]: ...

    def trace(self, run_id: str) -> list[Record]: ...

    def answer(self, hold_id: str, kind: AnswerKind, *, shown: str, reason: str) -> HoldView: ...

    def grants(self, agent: str) -> list[Grant]: ...

    def make_grant(self, wanted: GrantWanted) -> Grant: ...

    def revoke_grant(self, grant_id: str) -> Grant: ...


class _StoreDesk:
    def __init__(self, backend: EmbeddedBackend) -> None:
        from clearance.cli.person_here import local_person

        self._assembly = backend.assembly
        self._person = local_person()
        self.hold, self.holds, self.trace = backend.hold, backend.holds, backend.trace

    def answer(self, hold_id: str, kind: AnswerKind, *, shown: str, reason: str) -> HoldView:
        answer = self._assembly.holds.answer
        return HoldView.of(answer(hold_id, kind, person=self._person, shown_hash=shown, reason=reason))

    def grants(self, agent: str) -> list[Grant]:
        return self._assembly.grants.grants(agent=agent)

    def make_grant(self, wanted: GrantWanted) -> Grant:
        return self._assembly.grants.make(self._person, **msgspec.structs.asdict(wanted))

    def revoke_grant(self, grant_id: str) -> Grant:
        return self._assembly.grants.revoke(grant_id, by=self._person.name)


class _Grants(Struct, frozen=True):
    grants: list[Grant]


class _ServerDesk:
    def __init__(self, backend: RemoteBackend) -> None:
        self._ask = backend.ask
        self.hold, self.holds, self.trace = backend.hold, backend.holds, backend.trace

    def answer(self, hold_id: str, kind: AnswerKind, *, shown: str, reason: str) -> HoldView:
        body = {"shown": shown, "reason": reason}
        return self._ask("POST", f"/v1/holds/{hold_id}/{_VERB[kind]}", body, HoldView)

    def grants(self, agent: str) -> list[Grant]:
        query = {"agent": agent} if agent else {}
        return self._ask("GET", "/v1/grants", None, _Grants, query).grants

    def make_grant(self, wanted: GrantWanted) -> Grant:
        return self._ask("POST", "/v1/grants", wanted, Grant)

    def revoke_grant(self, grant_id: str) -> Grant:
        from urllib.parse import quote

        return self._ask("DELETE", f"/v1/grants/{quote(grant_id, safe='')}", None, Grant)


@contextmanager
def desk(target: Target, *, is_new_fine: bool = False) -> Iterator[Desk]:
    """Raises StoreError, ConfigurationError."""
    with target.backend(is_new_fine=is_new_fine) as backend:
        yield _StoreDesk(backend) if hasattr(backend, "assembly") else _ServerDesk(backend)  # type: ignore[arg-type]


def find_hold(at: Desk, text: str) -> HoldView:
    """A hold by its id, or by the beginning of one. Raises NotFoundError, RequestError."""
    try:
        return at.hold(text)
    except NotFoundError:
        found: list[Any] = [hold for hold in at.holds(HoldQuery(limit=_SEARCHED)) if _begins(hold, text)]
    if not found:
        raise NotFoundError(f"There is no hold {text!r}; `clearance holds` lists them.")
    if len(found) > 1:
        raise RequestError(f"{text!r} begins {len(found)} holds; write more of it.", reason="wrong_value")
    whole: HoldView = found[0]
    return whole


def _begins(hold: HoldView, text: str) -> bool:
    return bool(text) and (hold.hold_id.startswith(text) or hold.hold_id.startswith(f"hold_{text}"))
