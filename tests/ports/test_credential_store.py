"""What every store of credentials promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearance.core.model import Actor, Bounds, Credential, CredentialKind
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import CredentialStore, State
from tests.ports.threads import at_once

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def credentials(state: State) -> CredentialStore:
    return state.credentials


def key(credential_id: str, subject: str = "crm", *, minutes: int = 0, **fields: Any) -> Credential:
    return Credential(
        credential_id=credential_id,
        subject=subject,
        secret_hash="ab" * 32,
        created_at=NOON + timedelta(minutes=minutes),
        **{"kind": CredentialKind.AGENT_KEY, **fields},
    )


def test_credentials_are_listed_oldest_first_by_kind_and_by_subject(credentials: CredentialStore) -> None:
    late, early, other = key("k1", minutes=5), key("k2", minutes=1), key("k3", "support")
    session = key("s1", minutes=3, kind=CredentialKind.SESSION)
    for each in (late, early, other, session):
        credentials.add_credential(each)
    assert credentials.credentials() == [other, early, session, late]
    assert credentials.credentials(subject="crm") == [early, session, late]
    assert credentials.credentials(CredentialKind.AGENT_KEY) == [other, early, late]
    assert credentials.credentials(CredentialKind.AGENT_KEY, "crm") == [early, late]
    assert credentials.credentials(CredentialKind.DELEGATION) == []


def test_a_credential_is_found_whole(credentials: CredentialStore) -> None:
    made = key(
        "d1",
        kind=CredentialKind.DELEGATION,
        expires_at=NOON + HOUR,
        label="for one task",
        bounds=(Bounds(tools=("read_*",)), Bounds(operations=("read",))),
        on_behalf_of=(Actor(name="lead"), Actor(name="ann", roles=("viewer",), team="sales")),
    )
    credentials.add_credential(made)
    assert credentials.credential("d1") == made
    assert credentials.credential("d2") is None


def test_a_credentials_id_is_used_once(credentials: CredentialStore) -> None:
    credentials.add_credential(key("k1"))
    before = credentials.revision()
    with pytest.raises(ConflictError):
        credentials.add_credential(key("k1", "support"))
    assert credentials.revision() == before


def test_a_revoked_credential_is_seen_at_once(credentials: CredentialStore) -> None:
    credentials.add_credential(key("k1"))
    assert credentials.credential("k1") == key("k1")
    before = credentials.revision()
    credentials.revoke_credential("k1", NOON)
    assert credentials.credential("k1") == key("k1", revoked_at=NOON)
    assert credentials.credentials() == [key("k1", revoked_at=NOON)]
    assert credentials.revision() > before


def test_revoking_twice_keeps_the_first_time(credentials: CredentialStore) -> None:
    credentials.add_credential(key("k1"))
    credentials.revoke_credential("k1", NOON)
    credentials.revoke_credential("k1", NOON + HOUR)
    assert credentials.credential("k1") == key("k1", revoked_at=NOON)


def test_a_credential_ends_at_the_earlier_of_two_times(credentials: CredentialStore) -> None:
    credentials.add_credential(key("k1"))
    credentials.expire_credential("k1", NOON + HOUR)
    assert credentials.credential("k1") == key("k1", expires_at=NOON + HOUR)
    before = credentials.revision()
    credentials.expire_credential("k1", NOON + 2 * HOUR)
    assert credentials.credential("k1") == key("k1", expires_at=NOON + HOUR)
    assert credentials.revision() == before
    credentials.expire_credential("k1", NOON)
    assert credentials.credential("k1") == key("k1", expires_at=NOON)


def test_a_credential_that_does_not_exist_cannot_be_ended(credentials: CredentialStore) -> None:
    with pytest.raises(NotFoundError):
        credentials.revoke_credential("k1", NOON)
    with pytest.raises(NotFoundError):
        credentials.expire_credential("k1", NOON)


def test_a_token_is_used_once_for_each_issuer_until_it_is_past(credentials: CredentialStore) -> None:
    until = NOON + HOUR
    assert credentials.use_once("idp", "t1", until=until, at=NOON)
    assert not credentials.use_once("idp", "t1", until=until, at=NOON)
    assert credentials.use_once("other", "t1", until=until, at=NOON)
    assert not credentials.use_once("idp", "t1", until=until + HOUR, at=until - timedelta(microseconds=1))
    assert credentials.use_once("idp", "t1", until=until + HOUR, at=until)
    assert not credentials.use_once("idp", "t1", until=until, at=until)


def test_of_threads_that_use_one_token_one_is_first(credentials: CredentialStore) -> None:
    until = NOON + HOUR
    answers = at_once(16, lambda _: credentials.use_once("idp", "t1", until=until, at=NOON))
    assert answers.count(True) == 1
