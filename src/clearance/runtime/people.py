"""People and services that rule agents: who they are, what they may do, how they log in. Records all."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

import msgspec
from msgspec.structs import replace

from clearance.core import redact
from clearance.core.model import Credential, CredentialKind, Person, PersonSource, Role
from clearance.errors import AuthenticationError, ConflictError, NotFoundError, RequestError
from clearance.ports import PeopleStore, Vouched
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock
from clearance.runtime.throttle import Throttle
from clearance.runtime.tokens import KINDS, Tokens

_NAME = re.compile(r"[\w.@+-]{1,128}")
_SHORTEST, _LONGEST = 12, 1_024  # characters of a password
_FAILED = "Name or password are wrong, or the account cannot log in now."
# A name waits at most a minute, so that nobody can lock somebody else out for long; an address waits longer.
_NAME_WAITS, _PEER_WAITS = timedelta(minutes=1), timedelta(minutes=15)
_ISSUED = CredentialKind.SERVICE_TOKEN


class Hashing(Protocol):
    """Slow hashes of passwords (`adapters.identity.Passwords`)."""

    def hash(self, password: str) -> str: ...
    def fits(self, password: str, hashed: str) -> bool: ...
    def is_outdated(self, hashed: str) -> bool: ...


class People:
    """Thread-safe. Each change is recorded before it is made. `by` is whoever makes it, as recorded."""

    def __init__(
        self, store: PeopleStore, tokens: Tokens, audit: Audit, *, clock: Clock, passwords: Hashing
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._audit = audit
        self._clock = clock
        self._passwords = passwords
        self._arriving = threading.Lock()  # whoever comes twice at once is added once
        self._names = Throttle(free=5, longest=_NAME_WAITS)
        self._peers = Throttle(free=20, longest=_PEER_WAITS)

    # Who there is

    def people(self) -> list[Person]:
        """By name, without what their passwords are checked with."""
        return [without_secret(one) for one in self._store.people()]

    def person(self, name: str) -> Person:
        """Raises NotFoundError."""
        return without_secret(self._known(name))

    def add(
        self,
        name: str,
        *,
        by: str,
        roles: Sequence[Role] = (),
        teams: Sequence[str] = (),
        email: str = "",
        source: PersonSource = PersonSource.LOCAL,
        password: str = "",
    ) -> Person:
        """A local account, a service, or somebody invited: whom the provider then knows by the same email.

        Raises ConflictError, RequestError.
        """
        if not _NAME.fullmatch(name):
            raise RequestError(
                "A name has 1 to 128 letters, digits or any of . _ @ + -", reason="wrong_value"
            )
        if self._store.person(name) is not None:
            raise ConflictError("A person of this name exists already.")
        if source is PersonSource.PROVIDER and not email:
            raise RequestError("Who is invited is known by an email address.", reason="missing_field")
        if password and source is not PersonSource.LOCAL:
            raise RequestError("Only a local account has a password.", reason="wrong_value")
        person = Person(
            name=name,
            created_at=self._clock(),
            roles=_sorted(roles),
            teams=tuple(teams),
            email=email,
            source=source,
            password_hash=self._hashed(password) if password else "",
        )
        self._record("person.add", by, person, **_told(person), source=source.value)
        self._store.add_person(person)
        return without_secret(person)

    def change(
        self,
        name: str,
        *,
        by: str,
        roles: Sequence[Role] | None = None,
        teams: Sequence[str] | None = None,
        email: str | None = None,
    ) -> Person:
        """What is None stays. Raises NotFoundError."""

        def changed(known: Person) -> Person:
            return replace(
                known,
                roles=known.roles if roles is None else _sorted(roles),
                teams=known.teams if teams is None else tuple(teams),
                email=known.email if email is None else email,
            )

        told = changed(self._known(name))
        self._record("person.change", by, told, **_told(told))
        return without_secret(self._store.change_person(name, changed))

    def deactivate(self, name: str, *, by: str) -> Person:
        """Sessions and tokens end at once; the name stays taken. Raises NotFoundError."""
        self._record("person.deactivate", by, self._known(name))
        gone = self._store.change_person(name, lambda now: replace(now, is_active=False, password_hash=""))
        self._tokens.revoke_all(name, *KINDS)
        return without_secret(gone)

    def activate(self, name: str, *, by: str) -> Person:
        """Undo `deactivate`: nothing that ended comes back, no session, token or password.

        Raises NotFoundError.
        """
        self._record("person.activate", by, self._known(name))
        self._tokens.revoke_all(name, *KINDS)  # one that was made in the moment of deactivating, too
        return without_secret(self._store.change_person(name, lambda now: replace(now, is_active=True)))

    def set_password(self, name: str, password: str, *, by: str) -> Person:
        """Its sessions end. Raises NotFoundError; RequestError for other than an active local account."""
        known = self._known(name)
        _must_log_in_here(known)
        hashed = self._hashed(password)
        self._record("person.password", by, known)
        changed = self._store.change_person(
            name, lambda now: replace(_must_log_in_here(now), password_hash=hashed)
        )
        self._tokens.revoke_all(name, CredentialKind.SESSION)
        return without_secret(changed)

    # Logging in

    def log_in(self, name: str, password: str, *, peer: str = "") -> tuple[str, Person]:
        """A session's text, and whose it is. Raises AuthenticationError: one message, whatever was wrong."""
        person = self._store.person(name)
        self._must_not_wait(name[:128], peer, person)
        can = person is not None and person.is_active and person.source is PersonSource.LOCAL
        hashed = person.password_hash if person is not None and can else ""
        if not self._passwords.fits(password[: _LONGEST + 1], hashed) or person is None:
            self._turned_away("person.login_failed", person, peer)
        self._names.succeeded(name[:128])
        self._peers.forgive(peer)
        if self._passwords.is_outdated(hashed):
            self._rehash(name, hashed, self._passwords.hash(password))
        return self._session(person, peer=peer, how="password")

    def log_in_vouched(self, vouched: Vouched, *, peer: str = "") -> tuple[str, Person]:
        """The same for somebody whom the identity provider has just vouched for.

        Raises AuthenticationError for whom it gives no role here, and for whom we turned off.
        """
        with self._arriving:
            known = self._store.person_of(vouched.issuer, vouched.subject) or self._invited(vouched)
            kept = known.roles if known is not None else vouched.newcomers
            roles = _sorted(kept if vouched.roles is None else vouched.roles)
            if not roles or not (known is None or known.is_active):
                if known is not None:
                    self._tokens.revoke_all(known.name, CredentialKind.SESSION)
                self._turned_away("person.login_failed", known, peer, provider=vouched.provider)
            person = self._as_vouched(vouched, known, roles)
            if not person.is_active:  # turned off while the provider vouched
                self._turned_away("person.login_failed", person, peer, provider=vouched.provider)
        return self._session(person, peer=peer, how=vouched.provider)

    def log_out(self, session_id: str, *, by: str) -> None:
        """Raises NotFoundError."""
        session = self._tokens.one(session_id, CredentialKind.SESSION)
        self._audit.record("person.logout", by=by, target=session.subject, details={"session_id": session_id})
        self._tokens.revoke(session_id, CredentialKind.SESSION)

    def sessions(self, name: str = "") -> list[Credential]:
        """Those that hold now, of one or of all."""
        return self._tokens.list(CredentialKind.SESSION, name)

    # Tokens of services

    def issue_token(
        self, name: str, *, by: str, expires_at: datetime | None = None, label: str = ""
    ) -> tuple[str, Credential]:
        """The token's text, once. Raises NotFoundError; RequestError for other than an active service."""
        known = self._known(name)
        if known.source is not PersonSource.SERVICE or not known.is_active:
            raise RequestError("Only an active service has tokens; add one first.", reason="wrong_value")
        label = redact.clean_text(label)
        self._record("token.create", by, known, label=label)
        return self._tokens.token(name, expires_at=expires_at, label=label)

    def rotate_token(
        self, token_id: str, *, by: str, overlap_seconds: float = 86_400.0
    ) -> tuple[str, Credential]:
        """A new one; the old one ends after the overlap. Raises NotFoundError."""
        old = self._tokens.valid_token(token_id)
        if not self._known(old.subject).is_active:
            raise RequestError("Only an active service has tokens.", reason="wrong_value")
        self._audit.record("token.rotate", by=by, target=old.subject, details={"token_id": token_id})
        return self._tokens.rotated(old, overlap_seconds=overlap_seconds)

    def revoke_token(self, token_id: str, *, by: str) -> Credential:
        """At once. Raises NotFoundError."""
        old = self._tokens.one(token_id, _ISSUED)
        self._audit.record("token.revoke", by=by, target=old.subject, details={"token_id": token_id})
        return self._tokens.revoke(token_id, _ISSUED)

    def tokens(self, name: str = "") -> list[Credential]:
        """Of one service or of all; without their secrets, as everything that is kept."""
        return self._tokens.list(_ISSUED, name)

    # Inside

    def _known(self, name: str) -> Person:
        found = self._store.person(name)
        if found is None:
            raise NotFoundError("There is no person of this name.")
        return found

    def _invited(self, vouched: Vouched) -> Person | None:
        """Whoever was invited by the address that the provider has verified, and never came yet."""
        if not vouched.email:
            return None
        email = vouched.email.casefold()
        for one in self._store.people():
            if one.source is PersonSource.PROVIDER and not one.subject and one.email.casefold() == email:
                return one
        return None

    def _as_vouched(self, vouched: Vouched, known: Person | None, roles: tuple[Role, ...]) -> Person:
        told = known or Person(
            name=self._free_name(vouched), created_at=self._clock(), source=PersonSource.PROVIDER
        )
        person = _vouched_for(told, vouched, roles)
        if known is None:
            self._record("person.add", f"provider:{vouched.provider}", person, **_told(person))
            self._store.add_person(person)
        elif person != known:
            self._record("person.change", f"provider:{vouched.provider}", person, **_told(person))
            return self._store.change_person(person.name, lambda now: _vouched_for(now, vouched, roles))
        return person

    def _free_name(self, vouched: Vouched) -> str:
        """Never somebody else's: a name that is taken here gets the provider's added."""
        name = re.sub(r"[^\w.@+-]", "-", vouched.name)[:64] or "somebody"
        for one in (name, f"{name}@{vouched.provider}"):
            if self._store.person(one) is None:
                return one
        raise AuthenticationError(_FAILED, reason="login_failed")

    def _session(self, person: Person, *, peer: str, how: str) -> tuple[str, Person]:
        by = f"person:{person.name}"
        self._audit.record("person.login", by=by, target=person.name, details={"peer": peer, "by": how})
        text, _ = self._tokens.session(person.name, label=how)
        return text, without_secret(person)

    def _must_not_wait(self, name: str, peer: str, person: Person | None) -> None:
        at = self._clock()
        if (not peer or self._peers.attempt(peer, at)) and self._names.attempt(name, at):
            return
        # Once a wait: a flood of attempts must not become a flood of records.
        firsts = [self._names.is_first_refusal(name, at), self._peers.is_first_refusal(peer, at)]
        if any(firsts):
            self._turned_away("person.login_slowed", person, peer)
        raise AuthenticationError(_FAILED, reason="login_failed")

    def _rehash(self, name: str, before: str, now: str) -> None:
        self._store.change_person(
            name,
            lambda known: replace(known, password_hash=now) if known.password_hash == before else known,
        )

    def _turned_away(self, act: str, person: Person | None, peer: str, **details: str) -> NoReturn:
        """Record it, then raise what says nothing."""
        # What was given as a name that nobody has is not recorded: it may be a password in the wrong field.
        target = person.name if person is not None else ""
        self._audit.record(act, by="nobody", target=target, details={"peer": peer, **details})
        raise AuthenticationError(_FAILED, reason="login_failed")

    def _hashed(self, password: str) -> str:
        if not _SHORTEST <= len(password) <= _LONGEST:
            raise RequestError(f"A password has {_SHORTEST} to {_LONGEST} characters.", reason="wrong_value")
        return self._passwords.hash(password)

    def _record(self, act: str, by: str, person: Person, **details: object) -> None:
        self._audit.record(act, by=by, target=person.name, details=dict(details))


def _vouched_for(person: Person, vouched: Vouched, roles: tuple[Role, ...]) -> Person:
    if person.subject and (person.issuer, person.subject) != (vouched.issuer, vouched.subject):
        raise AuthenticationError(_FAILED, reason="login_failed")  # another came first as whom we invited
    return replace(
        person,
        issuer=vouched.issuer,
        subject=vouched.subject,
        roles=roles,
        teams=person.teams if vouched.teams is None else vouched.teams,
        email=vouched.email or person.email,
    )


def without_secret(person: Person) -> Person:
    """Not even the hash."""
    return replace(person, password_hash="")


def _must_log_in_here(person: Person) -> Person:
    if person.source is not PersonSource.LOCAL or not person.is_active:
        raise RequestError("Only an active local account has a password.", reason="wrong_value")
    return person


def _sorted(roles: Sequence[Role]) -> tuple[Role, ...]:
    return tuple(role for role in Role if role in roles)


def _told(person: Person) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(
        {"roles": person.roles, "teams": person.teams, "email": person.email}
    )
    return told
