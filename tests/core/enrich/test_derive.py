"""Facts: who vouches for each, and that nobody's claim lowers what another source knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.enrich import derive_facts, merge_facts
from clearance.core.model import (
    Action,
    ActionCall,
    Context,
    Fact,
    FactSpec,
    Operation,
    Principal,
    Request,
    Resource,
    ToolSpec,
)

CONTEXT = Context(run_id="r", action_id="a", at=datetime(2026, 1, 1, tzinfo=UTC))
TOOL = Resource(kind="tool", name="t")
UNREADABLE = Resource(kind="recipient", name="<unreadable>", attributes={"unreadable": True})


def email(number: int, domain: str = "a.example") -> Resource:
    return Resource(kind="email", name=f"u{number}@{domain}", attributes={"domain": domain})


def facts(
    *resources: Resource, facts: dict[str, FactSpec] | None = None, **call: Any
) -> dict[str, tuple[Any, str]]:
    made = ActionCall(action="sendIt", **call)
    request = Request(
        principal=Principal(agent="x"),
        action=Action(tool="sendIt", operation=Operation.SEND, arguments=made.arguments or made.payload),
        resources=resources or (TOOL,),
        context=CONTEXT,
    )
    tools = {"send_it": ToolSpec(name="send_it", facts=facts)} if facts else {}
    found = derive_facts(request, call=made, tools=tools)
    return {name: (fact.value, fact.source) for name, fact in found.items()}


def test_the_calling_programs_numbers_and_short_texts_are_facts() -> None:
    found = facts(
        payload={"record_count": 3, "dry": True, "note": "x", "who": None, "rows": [1], "long": "x" * 999}
    )
    assert {name: value for name, (value, source) in found.items() if source == "caller"} == {
        "record_count": 3,
        "dry": True,
        "note": "x",
        "who": None,
    }


def test_the_agents_arguments_are_never_believed_as_facts() -> None:
    assert "record_count" not in facts(arguments={"record_count": 1})


def test_a_secret_of_the_calling_program_is_no_fact() -> None:
    found = facts(payload={"password": "hunter2", "dbPassword": "x"}, facts=None, arguments={})
    assert not any(source == "caller" for _, source in found.values())
    call = ActionCall(action="x", facts={"api_key": "k"})
    request = Request(
        principal=Principal(agent="x"),
        action=Action(tool="x", operation=Operation.READ),
        resources=(TOOL,),
        context=CONTEXT,
    )
    assert "api_key" not in derive_facts(request, call=call, tools={})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, -(2**70)])
def test_a_number_that_cannot_be_compared_or_stored_is_unknown(value: float) -> None:
    assert facts(payload={"record_count": value})["record_count"] == (None, "caller")


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (FactSpec(constant=7), 7),
        (FactSpec(value_of="order.total"), 12.5),
        (FactSpec(value_of="order"), None),
        (FactSpec(value_of="missing"), None),
        (FactSpec(count_of="ids"), 3),
        (FactSpec(count_of="order"), 1),
        (FactSpec(count_of="name"), 1),
        (FactSpec(count_of="nothing"), 0),
        (FactSpec(count_of="missing"), None),
    ],
)
def test_a_declared_fact_is_taken_from_where_the_declaration_says(spec: FactSpec, value: object) -> None:
    arguments = {"order": {"total": 12.5}, "ids": [1, 2, 3], "name": "n", "nothing": None}
    assert facts(arguments=arguments, facts={"amount": spec})["amount"] == (value, "declared")


def test_recipients_domains_files_and_resources_are_counted_on_the_call() -> None:
    file = Resource(kind="file", name="a.txt")
    found = facts(email(1), email(2), email(3, "b.example"), Resource(kind="channel", name="c"), file)
    assert found["recipient_count"] == (4, "arguments")
    assert found["domain_count"] == (2, "arguments")
    assert found["file_count"] == (1, "arguments")
    assert found["resource_count"] == (5, "arguments")


def test_recipients_that_are_only_counted_count_and_leave_the_domains_unknown() -> None:
    rest = Resource(kind="recipient", name="<unreadable>", attributes={"unreadable": True, "count": 500})
    found = facts(email(1), rest)
    assert found["recipient_count"] == (501, "arguments")
    assert found["domain_count"] == (None, "arguments")


def test_a_file_pattern_stands_for_an_unknown_number_of_files() -> None:
    found = facts(Resource(kind="file", name="/srv/*.log"))
    assert found["file_count"] == found["resource_count"] == (None, "arguments")


def test_a_file_that_only_running_would_name_may_be_many() -> None:
    unnamed = Resource(kind="file", name="<unreadable>", attributes={"unreadable": True})
    rest = Resource(kind="file", name="<unreadable>", attributes={"unreadable": True, "count": 500})
    assert facts(unnamed)["file_count"] == (None, "arguments")
    assert facts(rest)["file_count"] == (500, "arguments")


def test_an_action_without_recipients_has_no_recipient_count_at_all() -> None:
    assert "recipient_count" not in facts(TOOL)


@pytest.mark.parametrize(("claimed", "value", "source"), [(1, 3, "arguments"), (50, 50, "caller")])
def test_of_two_numbers_the_greater_counts_whoever_claims_it(claimed: int, value: int, source: str) -> None:
    found = facts(email(1), email(2), email(3), payload={"recipient_count": claimed})
    assert found["recipient_count"] == (value, source)


def test_a_declaration_outranks_a_claim_and_gives_way_to_a_greater_count() -> None:
    spec = {"recipient_count": FactSpec(constant=2), "kind": FactSpec(constant="bulk")}
    found = facts(email(1), email(2), email(3), facts=spec, payload={"kind": "single"})
    assert found["recipient_count"] == (3, "arguments")
    assert found["kind"] == ("bulk", "declared")


def test_a_declaration_that_finds_nothing_gives_way_to_a_count_but_not_to_a_claim() -> None:
    missing = {"recipient_count": FactSpec(count_of="missing"), "amount": FactSpec(value_of="missing")}
    found = facts(email(1), facts=missing, payload={"amount": 1})
    assert found["recipient_count"] == (1, "arguments")
    assert found["amount"] == (None, "declared")


def test_a_claim_does_not_make_known_what_the_call_leaves_unknown() -> None:
    found = facts(email(1), UNREADABLE, payload={"domain_count": 1})
    assert found["domain_count"] == (None, "arguments")


def test_payload_and_facts_of_one_caller_give_the_greater_number() -> None:
    made = ActionCall(action="x", payload={"n": 5, "m": 1}, facts={"n": 2, "m": 9})
    request = Request(
        principal=Principal(agent="x"),
        action=Action(tool="x", operation=Operation.READ),
        resources=(TOOL,),
        context=CONTEXT,
    )
    found = derive_facts(request, call=made, tools={})
    assert (found["n"].value, found["m"].value) == (5, 9)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_no_claim_is_ever_lowered_by_another_source(claimed: int, declared: int, counted: int) -> None:
    resources = [email(number) for number in range(counted)] or [TOOL]
    found = facts(
        *resources,
        facts={"recipient_count": FactSpec(constant=declared)},
        payload={"recipient_count": claimed},
    )
    assert found["recipient_count"][0] == max(claimed, declared, counted)


def test_the_size_of_the_arguments_is_that_of_their_json() -> None:
    assert facts(arguments={"a": "xyz"})["argument_bytes"] == (11, "arguments")
    assert facts(arguments={"a": object()})["argument_bytes"] == (None, "arguments")
    assert facts(arguments={"a": "x" * 20_000_000})["argument_bytes"] == (None, "arguments")
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    assert facts(arguments=cycle)["argument_bytes"] == (None, "arguments")


def test_what_was_counted_on_the_real_system_replaces_any_claim() -> None:
    known = {"n": Fact(value=9, source="caller"), "m": Fact(value=1, source="caller")}
    merged = merge_facts(known, {"n": Fact(value=2, source="counted")})
    assert {name: fact.value for name, fact in merged.items()} == {"n": 2, "m": 1}
