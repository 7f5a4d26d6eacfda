"""Every way to prove who asks, as one: each credential is judged, and all must prove the same agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace

from clearance.core.model import Person, Principal
from clearance.errors import AuthenticationError
from clearance.ports import Identity, Presented

Who = Principal | Person
_Ask = Callable[[Identity], Who | None]


class Extending(Protocol):
    """What a delegation adds to an agent that has proven itself."""

    def extended(self, principal: Principal, text: str, at: datetime) -> Principal:
        """Raises AuthenticationError."""


class Proofs(Protocol):
    """One identity for each kind of credential. Without `certificate`, no forwarded one counts."""

    @property
    def bearers(self) -> Sequence[Identity]: ...
    @property
    def certificate(self) -> Identity | None: ...
    @property
    def delegations(self) -> Extending: ...


class Identities:
    """An `Identity` over those of each kind of credential. Thread-safe as they are."""

    def __init__(self, proofs: Proofs) -> None:
        self._bearers = tuple(proofs.bearers)
        self._certificate = proofs.certificate
        self._delegations = proofs.delegations

    def identify(self, presented: Presented, at: datetime) -> Who | None:
        """Raises AuthenticationError: also where one of two credentials proves nothing, or somebody else."""
        bearer = self._bearer(presented, lambda one: one.identify(presented, at))
        if presented.credential and bearer is None:
            raise AuthenticationError("The credential is of no kind that is known here.")
        certificate = self._certified(presented, lambda one: one.identify(presented, at))
        return self._together(bearer, certificate, presented=presented, at=at)

    def identify_known(self, presented: Presented, at: datetime) -> Who | None:
        """None as soon as one of the credentials presented cannot be judged without asking."""
        bearer = self._bearer(presented, lambda one: one.identify_known(presented, at))
        if presented.credential and bearer is None:
            return None
        certificate = self._certified(presented, lambda one: one.identify_known(presented, at))
        if certificate is None and self._counts(presented):
            return None
        return self._together(bearer, certificate, presented=presented, at=at)

    def _bearer(self, presented: Presented, ask: _Ask) -> Who | None:
        if not presented.credential:
            return None
        return next((who for who in map(ask, self._bearers) if who is not None), None)

    def _certified(self, presented: Presented, ask: _Ask) -> Who | None:
        if self._certificate is not None:
            return ask(self._certificate) if presented.client_certificate else None
        if presented.client_certificate and not presented.credential:
            raise AuthenticationError(
                "A client certificate counts only where a trusted proxy forwards it.",
                reason="proxy_untrusted",
            )
        return None

    def _counts(self, presented: Presented) -> bool:
        return self._certificate is not None and bool(presented.client_certificate)

    def _together(
        self, bearer: Who | None, certificate: Who | None, *, presented: Presented, at: datetime
    ) -> Who | None:
        who = _same(bearer, certificate)
        if not presented.delegation or who is None:
            return who
        if not isinstance(who, Principal):
            raise AuthenticationError(
                "A delegation is an agent's; people act in their own name.", reason="delegation_invalid"
            )
        return self._delegations.extended(who, presented.delegation, at)


def _same(bearer: Who | None, certificate: Who | None) -> Who | None:
    """Two proofs of one agent are one, the stronger; of two they are none."""
    if bearer is None or certificate is None:
        return bearer if certificate is None else certificate
    if (
        isinstance(bearer, Principal)
        and isinstance(certificate, Principal)
        and bearer.agent == certificate.agent
    ):
        return replace(bearer, proof=certificate.proof)
    raise AuthenticationError("The credential and the client certificate prove two different names.")
