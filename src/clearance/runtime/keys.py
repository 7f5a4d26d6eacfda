"""Credentials issued, rotated, revoked and delegated, each act recorded first. Judges no credential."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from clearance.core import redact
from clearance.core.model import (
    MOST_ACTORS,
    Actor,
    ActorKind,
    Bounds,
    Credential,
    CredentialKind,
    Principal,
    Proof,
)
from clearance.core.policy.bounds import is_narrower
from clearance.errors import AuthenticationError, ConflictError, NotFoundError, RequestError
from clearance.ports import CredentialStore
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock

NewCredential = Callable[..., tuple[str, Credential]]  # `clearance.adapters.identity.new_key`

MOST_DELEGATED_SECONDS = 86_400.0  # a day: a delegation serves a task, not a position
_MOST_PATTERNS = 256
OF_AGENTS = frozenset({CredentialKind.AGENT_KEY, CredentialKind.DELEGATION})
_ROTATED = frozenset({CredentialKind.AGENT_KEY, CredentialKind.SERVICE_TOKEN})


class Keys:
    """Thread-safe. A text is returned once and never again; the store has only its hash."""

    def __init__(
        self, credentials: CredentialStore, audit: Audit, *, clock: Clock, new_credential: NewCredential
    ) -> None:
        self._credentials = credentials
        self._audit = audit
        self._clock = clock
        self._new = new_credential

    def issue(
        self,
        subject: str,
        *,
        by: str,
        kind: CredentialKind = CredentialKind.AGENT_KEY,
        expires_at: datetime | None = None,
        label: str = "",
        bounds: Sequence[Bounds] = (),
    ) -> tuple[str, Credential]:
        """A fresh credential: the text to show once, and what is kept of it. Raises RequestError."""
        at = self._clock()
        if not subject:
            raise RequestError("A key is somebody's: name the agent or the person.", reason="missing_field")
        if expires_at is not None and expires_at <= at:
            raise RequestError("The key would be over already.", reason="wrong_value")
        made = self._new(
            subject,
            at=at,
            kind=kind,
            expires_at=expires_at,
            label=redact.clean_text(label),
            bounds=tuple(bounds),
        )
        return self._kept(made, act=f"{kind.value}.issue", by=by)

    def rotate(
        self, credential_id: str, *, by: str, overlap_seconds: float = 86_400.0
    ) -> tuple[str, Credential]:
        """A new text for the same subject, bounds and length of life; the old one ends after the overlap.

        Raises NotFoundError, and ConflictError for what is over or is no key.
        """
        at = self._clock()
        old = self._known(credential_id)
        if not old.is_valid(at) or old.kind not in _ROTATED:
            raise ConflictError(
                "Only a key or a service token that is still good is rotated: issue a new one."
            )
        if overlap_seconds < 0:
            raise RequestError("The overlap is a number of seconds from 0 on.", reason="wrong_value")
        life = None if old.expires_at is None else old.expires_at - old.created_at
        made = self._new(
            old.subject,
            at=at,
            kind=old.kind,
            expires_at=None if life is None else at + life,
            label=old.label,
            bounds=old.bounds,
        )
        act = f"{old.kind.value}.rotate"
        text, new = self._kept(made, act=act, by=by, details={"replaces": credential_id})
        self._credentials.expire_credential(credential_id, at + timedelta(seconds=overlap_seconds))
        return text, new

    def revoke(self, credential_id: str, *, by: str) -> Credential:
        """At once and for good, with every delegation that its subject made. Raises NotFoundError.

        Which of an agent's keys made a delegation is not kept, so all of them fall with any of its keys.
        """
        credential = self._known(credential_id)
        self._end(credential, by=by)
        if credential.kind in OF_AGENTS:
            self._end_delegations_of(credential.subject, by=by)
        return self._known(credential_id)

    def revoke_all(
        self, subject: str, *, by: str, kinds: Collection[CredentialKind] = OF_AGENTS
    ) -> list[Credential]:
        """Every credential of these kinds that is still good; an agent's with every delegation it made.

        A person or a service of the same name is somebody else: only `kinds` tells them apart.
        """
        at = self._clock()
        found = self._credentials.credentials(subject=subject)
        valid = [one for one in found if one.kind in kinds and one.is_valid(at)]
        for one in valid:
            self._end(one, by=by)
        if not OF_AGENTS.isdisjoint(kinds):
            self._end_delegations_of(subject, by=by)
        return [self._known(one.credential_id) for one in valid]

    def list(self, *, kind: CredentialKind | None = None, subject: str = "") -> list[Credential]:
        """Oldest first; those that are over too."""
        return self._credentials.credentials(kind, subject)

    def delegate(
        self, principal: Principal, *, to: str, bounds: Bounds, seconds: float
    ) -> tuple[str, Credential]:
        """A text with which another agent acts on behalf of this one, within `bounds` and for so long.

        Raises AuthenticationError where it would allow what its maker may not do, and RequestError.
        """
        at = self._clock()
        chain = (_actor(principal), *principal.on_behalf_of)
        _must_be_proven(principal)
        _must_be_sound(to, principal.agent, bounds=bounds, seconds=seconds)
        if len(chain) > MOST_ACTORS or not all(is_narrower(bounds, outer) for outer in principal.bounds):
            raise AuthenticationError(
                "A delegation is within every bound of its maker, and a chain has at most "
                f"{MOST_ACTORS} links: narrow it.",
                reason="delegation_too_wide",
            )
        made = self._new(
            to,
            at=at,
            kind=CredentialKind.DELEGATION,
            expires_at=self._at_most(at + timedelta(seconds=seconds), principal),
            bounds=(bounds, *principal.bounds),
            on_behalf_of=chain,
        )
        return self._kept(made, act="delegation.issue", by=principal.agent)

    def _at_most(self, until: datetime, principal: Principal) -> datetime:
        """Not longer than the longest of what the maker itself can prove it with."""
        at = self._clock()
        ends: list[datetime | None] = []
        for one in self._credentials.credentials(subject=principal.agent):
            is_key = one.kind is CredentialKind.AGENT_KEY and principal.proof is Proof.API_KEY
            is_link = one.kind is CredentialKind.DELEGATION and _is_part(one.on_behalf_of, principal)
            if one.is_valid(at) and (is_link if principal.on_behalf_of else is_key):
                ends.append(one.expires_at)
        known = [end for end in ends if end is not None]
        return min(until, max(known)) if known and len(known) == len(ends) else until

    def _kept(
        self, made: tuple[str, Credential], *, act: str, by: str, details: dict[str, str] | None = None
    ) -> tuple[str, Credential]:
        _, credential = made
        told = {"subject": credential.subject, **(details or {})}
        if credential.expires_at is not None:
            told["expires_at"] = credential.expires_at.isoformat()
        self._audit.record(act, by=by, target=credential.credential_id, details=told)
        self._credentials.add_credential(credential)
        return made

    def _end(self, credential: Credential, *, by: str) -> None:
        self._audit.record(
            f"{credential.kind.value}.revoke",
            by=by,
            target=credential.credential_id,
            details={"subject": credential.subject},
        )
        self._credentials.revoke_credential(credential.credential_id, self._clock())

    def _end_delegations_of(self, maker: str, *, by: str) -> None:
        at = self._clock()
        for one in self._credentials.credentials(CredentialKind.DELEGATION):
            made = any(actor.kind is ActorKind.AGENT and actor.name == maker for actor in one.on_behalf_of)
            if made and one.is_valid(at):
                self._end(one, by=by)

    def _known(self, credential_id: str) -> Credential:
        found = self._credentials.credential(credential_id)
        if found is None:
            raise NotFoundError("There is no key of this id.")
        return found


def _actor(principal: Principal) -> Actor:
    return Actor(name=principal.agent, roles=principal.roles, team=principal.team)


def _is_part(chain: tuple[Actor, ...], principal: Principal) -> bool:
    """Whether a delegation of that chain may be the one that the agent acts under."""
    names = [actor.name for actor in chain]
    return names == [actor.name for actor in principal.on_behalf_of][: len(names)]


def _must_be_proven(principal: Principal) -> None:
    if principal.proof is Proof.DECLARED:
        raise AuthenticationError(
            "Only an agent that has proven who it is can delegate: its name was only declared."
        )


def _must_be_sound(to: str, maker: str, *, bounds: Bounds, seconds: float) -> None:
    if not to or to == maker:
        raise RequestError("A delegation is to another agent: name it.", reason="wrong_value")
    if not 0 < seconds <= MOST_DELEGATED_SECONDS:
        raise RequestError(
            f"A delegation is for up to {MOST_DELEGATED_SECONDS:g} seconds.", reason="wrong_value"
        )
    parts = (bounds, *bounds.any_of)
    patterns = sum(len(one.tools) + len(one.operations) + len(one.resources) for one in parts)
    if patterns + len(parts) > _MOST_PATTERNS or any(one.any_of for one in bounds.any_of):
        raise RequestError(
            f"Bounds have at most {_MOST_PATTERNS} patterns, and `any_of` none of its own.",
            reason="wrong_value",
        )
