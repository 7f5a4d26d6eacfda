"""A request as each of its chain would make it."""

from __future__ import annotations

from msgspec.structs import replace

from clearance.core.model import Actor, ActorKind, Principal, Proof
from clearance.core.policy.chain import as_each_of_chain, chain_names, delegators

BOSS = Actor(name="boss", roles=("lead",), team="ops")
EVE = Actor(name="eve", kind=ActorKind.PERSON)
GATEWAY = Actor(name="gateway", kind=ActorKind.SERVICE)


def test_each_is_asked_for_whoever_stands_behind_it_and_services_are_not(make):
    principal = Principal(agent="bot", on_behalf_of=(BOSS, GATEWAY, EVE), proof=Proof.TOKEN, roles=("r",))
    asked = as_each_of_chain(replace(make(), principal=principal))
    assert [one.principal for one in asked] == [
        Principal(agent="boss", roles=("lead",), team="ops", proof=Proof.TOKEN, on_behalf_of=(GATEWAY, EVE)),
        Principal(agent="person:eve", proof=Proof.TOKEN),
    ]


def test_delegators_are_the_other_agents_each_once():
    chain = (BOSS, EVE, Actor(name="bot"), BOSS, Actor(name="root"))
    assert delegators(Principal(agent="bot", on_behalf_of=chain)) == ("boss", "root")
    assert delegators(Principal(agent="bot")) == ()


def test_people_and_services_are_named_as_records_name_them():
    principal = Principal(agent="bot", on_behalf_of=(BOSS, EVE, GATEWAY))
    assert chain_names(principal) == ("boss", "person:eve", "service:gateway")
