"""Clearance's own credentials: what they prove, and that looking them up tells nothing."""

from __future__ import annotations

import contextlib
import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from clearance.adapters.identity import KeyIdentity, Standing, new_key
from clearance.adapters.store import MemoryState
from clearance.core.model import Agent, AgentStatus, CredentialKind, Person, Principal, Role
from clearance.errors import AuthenticationError
from clearance.ports import Presented

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def state() -> MemoryState:
    made = MemoryState()
    made.agents.add_agent(Agent(name="crm", created_at=NOON))
    made.people.add_person(Person(name="ops", created_at=NOON, roles=(Role.ADMIN,)))
    return made


def identity_of(state: MemoryState) -> KeyIdentity:
    return KeyIdentity(state.credentials, state.people, Standing(state.agents))


def issued(state: MemoryState, subject: str, kind: CredentialKind = CredentialKind.AGENT_KEY) -> str:
    text, stored = new_key(subject, at=NOON, kind=kind)
    state.credentials.add_credential(stored)
    return text


def reason_of(identity: KeyIdentity, text: str, at: datetime = NOON) -> str:
    with pytest.raises(AuthenticationError) as refused:
        identity.identify(Presented(credential=text), at)
    return refused.value.reason


def test_a_text_is_judged_by_what_is_stored_and_not_by_its_prefix(state: MemoryState) -> None:
    token = issued(state, "ops", CredentialKind.SERVICE_TOKEN)
    old = token.replace("clt_", "clr_")  # an admin key of an earlier release
    person = identity_of(state).identify(Presented(credential=old), NOON)
    assert isinstance(person, Person)
    key = issued(state, "crm").replace("clr_", "clt_")
    assert isinstance(identity_of(state).identify(Presented(credential=key), NOON), Principal)


def test_a_delegation_under_another_prefix_is_still_none_of_a_key(state: MemoryState) -> None:
    text = issued(state, "crm", CredentialKind.DELEGATION).replace("cld_", "clr_")
    assert reason_of(identity_of(state), text) == "delegation_invalid"


def test_a_key_of_a_retired_agent_proves_nothing_from_the_next_call_on(state: MemoryState) -> None:
    identity, text = identity_of(state), issued(state, "crm")
    identity.identify(Presented(credential=text), NOON)
    state.agents.replace_agent(Agent(name="crm", created_at=NOON, status=AgentStatus.RETIRED))
    assert reason_of(identity, text) == "unauthenticated"


def test_every_bad_key_is_refused_with_the_same_words(state: MemoryState) -> None:
    identity, text = identity_of(state), issued(state, "crm")
    prefix, key_id, _ = text.split("_", 2)
    revoked = issued(state, "crm")
    state.credentials.revoke_credential(revoked.split("_")[1], NOON)
    said = set()
    for bad in (
        f"{prefix}_{key_id}_x",
        f"{prefix}_000000000000_x",
        f"{prefix}__",
        prefix,
        revoked,
        "clr_\ud800_x",
    ):
        with pytest.raises(AuthenticationError) as refused:
            identity.identify(Presented(credential=bad), NOON + timedelta(seconds=1))
        said.add((refused.value.reason, str(refused.value)))
    assert len(said) == 1
    assert said.pop()[0] == "unauthenticated"


def test_what_is_no_key_is_left_to_others(state: MemoryState) -> None:
    for other in ("", "eyJhbGciOiJub25lIn0.e30.", "Basic abc"):
        assert identity_of(state).identify(Presented(credential=other), NOON) is None


def test_an_unknown_id_takes_as_long_as_a_wrong_secret(state: MemoryState) -> None:
    identity = identity_of(state)
    texts = [issued(state, "crm") for _ in range(20)]
    wrong = [f"clr_{text.split('_')[1]}_{'x' * 43}" for text in texts]
    unknown = [f"clr_{index:012x}_{'x' * 43}" for index in range(20)]
    # The first byte right, or all but the last: what a comparison that stops early would tell.
    almost = [f"{text[:-1]}{'A' if text[-1] != 'A' else 'B'}" for text in texts]
    times: dict[str, list[int]] = {"wrong": [], "unknown": [], "almost": []}
    for round_ in range(200):
        for name, many in (("wrong", wrong), ("unknown", unknown), ("almost", almost)):
            presented = Presented(credential=many[round_ % 20])
            start = time.perf_counter_ns()
            with contextlib.suppress(AuthenticationError):
                identity.identify(presented, NOON)
            times[name].append(time.perf_counter_ns() - start)
    middle = {name: statistics.median(measured) for name, measured in times.items()}
    assert max(middle.values()) < 2 * min(middle.values())
