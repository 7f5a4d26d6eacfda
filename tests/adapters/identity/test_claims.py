"""What a token's claims mean: who acts, on whose behalf, with which roles, within which scopes."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.config import Admission, SubjectKind
from clearance.core.model import MOST_ACTORS, Actor, ActorKind, Bounds, Principal, Proof
from clearance.core.policy.bounds import NOTHING
from tests.adapters.identity.conftest import House
from tests.servers.issuer import Issuer

ALICE = Actor(name="alice", kind=ActorKind.PERSON)


def acting(*names: str) -> dict[str, Any]:
    """`act` of a chain, the acting one first."""
    act: dict[str, Any] = {}
    for name in reversed(names):
        act = {"sub": name, **({"act": act} if act else {})}
    return act


def test_the_outermost_actor_acts_for_the_others_and_last_for_the_subject(house: House) -> None:
    found = house.agent(house.token(sub="alice", act=acting("b", "a")))
    assert found == Principal(agent="b", proof=Proof.TOKEN, on_behalf_of=(Actor(name="a"), ALICE))


def test_the_subject_is_an_agent_where_the_provider_says_so(issuer: Issuer) -> None:
    house = House(issuer, subject=SubjectKind.AGENT)
    found = house.agent(house.token(sub="a", act=acting("b")))
    assert found.on_behalf_of == (Actor(name="a"),)


def test_a_chain_has_an_end(house: House) -> None:
    longest = [f"x{index}" for index in range(MOST_ACTORS)]
    assert len(house.agent(house.token(sub="alice", act=acting(*longest))).on_behalf_of) == MOST_ACTORS
    assert house.reason(house.token(sub="alice", act=acting(*longest, "y"))) == "token_claims"
    assert house.reason(house.token(sub="alice", act=acting(*["z"] * 400))) == "token_claims"


@pytest.mark.parametrize(
    "act",
    [
        "b",
        [],
        {},
        7,
        False,
        {"sub": ""},
        {"sub": 7},
        {"sub": " b"},
        {"sub": "b\n"},
        {"sub": "b", "act": "a"},
        {"sub": "b", "act": {}},
        {"sub": "b", "act": None},
        {"sub": "person:alice"},
        {"sub": "b" * 256},
    ],
)
def test_a_malformed_chain_refuses(house: House, act: Any) -> None:
    assert house.reason(house.token(sub="alice", act=act)) == "token_claims"


def test_a_chain_of_nobody_refuses(house: House) -> None:
    claims = {**house.claims(sub="alice"), "act": None}
    assert house.reason(house.issuer.token(claims)) == "token_claims"
    assert house.reason(house.token(sub=None, act=acting("b"))) == "token_claims"


def test_without_a_chain_the_client_acts_for_the_subject_that_is_another(house: House) -> None:
    assert house.agent(house.token(client_id="crm", sub="alice")).on_behalf_of == (ALICE,)
    assert house.agent(house.token(client_id=None, azp="web", sub="web")) == Principal(
        agent="web", proof=Proof.TOKEN
    )
    assert house.agent(house.token(client_id=None, sub="alone")).agent == "alone"
    assert house.reason(house.token(client_id=None, sub=None)) == "token_claims"


def test_a_provider_whose_subjects_are_its_clients_names_nobody_else(issuer: Issuer) -> None:
    house = House(issuer, subject=SubjectKind.NONE)
    assert house.agent(house.token(client_id="crm", sub="0f3a")).on_behalf_of == ()


def test_the_agent_is_the_claim_that_is_configured_and_no_other(issuer: Issuer) -> None:
    house = House(issuer, agent_claim="agent", subject=SubjectKind.NONE)
    assert house.agent(house.token(agent="scout")).agent == "scout"
    assert house.reason(house.token()) == "token_claims"


def test_a_prefix_keeps_the_names_of_one_provider_apart(issuer: Issuer) -> None:
    house = House(issuer, agent_prefix="partner/")
    assert house.agent(house.token()) == Principal(agent="partner/crm", proof=Proof.TOKEN)
    found = house.agent(house.token(sub="alice", act=acting("b", "a")))
    assert (found.agent, found.on_behalf_of) == ("partner/b", (Actor(name="partner/a"), ALICE))


@pytest.mark.parametrize(
    "name", ["person:alice", "service:deploy", "local:root", "a\u0000b", "a\nb", "", " a"]
)
def test_no_agent_is_called_like_a_person_or_unreadably(house: House, name: str) -> None:
    assert house.reason(house.token(client_id=name, sub=name)) == "token_claims"


def test_roles_are_those_that_the_configuration_gives_them(issuer: Issuer) -> None:
    house = House(issuer, roles_claim="realm_access.roles", roles={"crm-reader": ("reader", "crm")})
    token = house.token(realm_access={"roles": ["crm-reader", "admin"]})
    assert house.agent(token).roles == ("reader", "crm")
    assert house.agent(house.token(realm_access={"roles": "crm-reader x"})).roles == ("reader", "crm")
    assert house.agent(house.token(realm_access=["crm-reader"])).roles == ()
    assert house.agent(house.token()).roles == ()
    assert house.reason(house.token(realm_access={"roles": [7]})) == "token_claims"
    assert house.reason(house.token(realm_access={"roles": {"crm-reader": True}})) == "token_claims"


def test_a_delegate_gains_no_role_of_whom_it_acts_for(issuer: Issuer) -> None:
    house = House(issuer, roles_claim="roles", roles={"boss": ("boss",)})
    for token in (
        house.token(sub="alice", act=acting("b"), roles=["boss"]),
        house.token(sub="alice", client_id="b", roles=["boss"]),
    ):
        found = house.agent(token)
        assert found.roles == ()
        assert found.on_behalf_of[-1].roles == ("boss",)


READS = Bounds(operations=("read",), resources=("crm/*",))
SENDS = Bounds(operations=("send",))


@pytest.mark.parametrize(
    ("scope", "bounds"),
    [
        ("crm.read", READS),
        ("openid crm.read other", READS),
        ("mail.send crm.read", Bounds(any_of=(READS, SENDS))),
        (["mail.send"], SENDS),
        ("", NOTHING),
        ("CRM.READ", NOTHING),
        (None, NOTHING),
    ],
)
def test_granted_scopes_bound_what_a_token_is_good_for(issuer: Issuer, scope: Any, bounds: Bounds) -> None:
    house = House(issuer, scopes={"crm.read": READS, "mail.send": SENDS})
    assert house.agent(house.token(scope=scope)).bounds == (bounds,)


def test_scopes_of_another_form_refuse(issuer: Issuer) -> None:
    house = House(issuer, scopes={"crm.read": READS})
    for scope in (7, {"crm.read": True}, [["crm.read"]], ["a"] * 300):
        assert house.reason(house.token(scope=scope)) == "token_claims"


def test_where_agents_are_registered_first_a_new_name_is_refused(issuer: Issuer) -> None:
    house = House(issuer, agents=Admission.REGISTERED)
    assert house.reason(house.token()) == "agent_unknown"
    assert house.arrivals == []
