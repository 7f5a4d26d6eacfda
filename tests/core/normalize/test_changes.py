"""What a call's own text tells of how much it changes: numbers, conditions, mutations, and doubt."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.enrich import derive_facts
from clearance.core.model import ActionCall, Context, Fact, FactSpec, Family, Operation, Principal, ToolSpec
from clearance.core.normalize import normalize

CONTEXT = Context(run_id="r", action_id="a", at=datetime(2026, 1, 1, tzinfo=UTC))
API = "https://api.example/v1"
QL = "https://api.example/graphql"
FIVE = [{"n": number} for number in range(5)]
DELETES = "mutation($ids: [ID!]) { deleteUsers(ids: $ids) }"
NOTHING = "nothing"  # the fact is not there, as for a call that tells nothing


def told(
    name: str, arguments: dict[str, Any], *, spec: ToolSpec | None = None, claim: int | None = None
) -> tuple[str, Any]:
    payload = {} if claim is None else {"record_count": claim}
    call = ActionCall(action=name, arguments=arguments, payload=payload)
    tools = {spec.name: spec} if spec else {}
    request = normalize(call, principal=Principal(agent="x"), context=CONTEXT, tools=tools)
    fact = derive_facts(request, call=call, tools=tools).get("record_count", Fact(value=NOTHING, source=""))
    return request.action.operation.value, fact.value


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"method": "POST", "url": f"{API}/users", "json": FIVE}, ("send", 5)),
        ({"method": "POST", "url": f"{API}/users", "body": json.dumps(FIVE)}, ("send", 5)),
        ({"method": "PUT", "url": f"{API}/batch", "json": {"requests": [{}] * 3}}, ("send", 3)),
        ({"method": "POST", "url": f"{API}/b", "json": {"requests": [{"ids": [1, 2, 3]}, {}]}}, ("send", 4)),
        ({"method": "POST", "url": f"{API}/b", "json": {"creates": [1], "deletes": [2, 3]}}, ("send", 3)),
        ({"method": "DELETE", "url": f"{API}/users?ids=1,2,3"}, ("delete", 3)),
        ({"method": "POST", "url": f"{API}/users", "json": {"name": "x"}}, ("send", NOTHING)),
        ({"method": "DELETE", "url": f"{API}/users/7"}, ("delete", NOTHING)),
        ({"method": "GET", "url": f"{API}/users?ids=1,2,3"}, ("read", NOTHING)),
        ({"method": "POST", "url": f"{API}/users/_search", "json": {"query": {"a": 1}}}, ("send", NOTHING)),
        ({"method": "POST", "url": f"{API}/users/_msearch", "json": FIVE}, ("send", NOTHING)),
        ({"method": "POST", "url": f"{API}/reports", "json": {"query": "x"}}, ("send", NOTHING)),
        ({"method": "POST", "url": f"{API}/i/_delete_by_query", "json": {"query": {}}}, ("send", None)),
        ({"method": "POST", "url": f"{API}/i/_update_by_query"}, ("send", None)),
        (
            {"method": "PATCH", "url": f"{API}/users", "json": {"where": {"a": 1}, "ids": [1]}},
            ("send", None),
        ),
        ({"method": "DELETE", "url": f"{API}/users?filter=old"}, ("delete", None)),
        ({"method": "DELETE", "url": f"{API}/users", "params": {"filter": "old"}}, ("delete", None)),
        ({"method": "DELETE", "url": f"{API}/users"}, ("delete", None)),
        ({"method": "DELETE", "url": f"{API}/users?id=gte.0"}, ("delete", None)),
        ({"method": "DELETE", "url": f"{API}/logs-*"}, ("delete", None)),
        (
            {
                "method": "POST",
                "url": f"{API}/$batch",
                "json": {"requests": [{"method": "DELETE", "url": "/users"}]},
            },
            ("send", None),
        ),
        (
            {
                "method": "POST",
                "url": f"{API}/u",
                "headers": {"X-HTTP-Method-Override": "PATCH"},
                "json": {"q": "x"},
            },
            ("send", None),
        ),
    ],
)
def test_a_request_tells_how_many_it_changes_or_that_a_condition_does(
    arguments: dict[str, Any], expected: tuple[str, Any]
) -> None:
    assert told("http_request", arguments) == expected


@pytest.mark.parametrize(
    ("given_body", "expected"),
    [
        ({"query": DELETES, "variables": {"ids": [1, 2, 3]}}, ("delete", 3)),
        ({"query": DELETES, "variables": '{"ids": [1, 2]}'}, ("delete", 2)),
        ({"query": DELETES}, ("delete", None)),
        ({"query": "mutation { a: updateUser(id: 1) b: updateUser(id: 2) }"}, ("send", 2)),
        ({"query": "mutation { deleteUsers(where: {age: 3}) }"}, ("delete", None)),
        ({"query": "mutation { updateUsers(set: {a: 1}) }"}, ("send", None)),
        ({"query": "mutation { updateMany(updates: [{where: {a: 1}}]) }"}, ("send", None)),
        ({"query": "mutation { clearCache }"}, ("delete", None)),
        ({"query": "{ users { id } }", "variables": {"ids": [1, 2]}}, ("send", NOTHING)),
        ({"query": "mutation { deleteUser(id: 1"}, ("unknown", None)),
        ({"query": "query A { a } mutation B { deleteB(id: 1) }", "operationName": "A"}, ("send", NOTHING)),
        ({"query": "query A { a } mutation B { deleteB(id: 1) }", "operationName": "B"}, ("delete", 1)),
        ([{"query": "mutation { deleteA(id: 1) }"}, {"query": "mutation { deleteB(id: 2) }"}], ("delete", 2)),
    ],
)
def test_a_graphql_body_tells_its_mutation_as_an_object_and_as_text(given_body: Any, expected: Any) -> None:
    for body in (
        given_body,
        json.dumps(given_body),
        json.dumps(given_body).replace("mutation", "m\\u0075tation"),
    ):
        assert told("http_request", {"method": "POST", "url": QL, "body": body}) == expected


def test_a_mutation_in_the_address_of_a_get_is_no_read() -> None:
    url = f"{QL}?query=mutation%20%7B%20deleteUser(id:%201)%20%7D"
    assert told("http_request", {"method": "GET", "url": url}) == ("delete", 1)


@pytest.mark.parametrize(
    ("name", "operation"), [("graphql", "unknown"), ("query_graphql", "delete"), ("run_query", "execute")]
)
def test_a_mutation_among_the_arguments_makes_no_tool_milder(name: str, operation: str) -> None:
    assert told(name, {"query": DELETES, "variables": {"ids": [1, 2]}}) == (operation, 2)


def test_a_document_that_a_tool_may_ignore_raises_and_makes_nothing_known() -> None:
    arguments = {"segment": "x", "query": "mutation { deleteA(id: 1) b: deleteA(id: 2) }"}
    assert told("update_customers", arguments) == ("unknown", NOTHING)
    assert told("update_customers", arguments, claim=1) == ("unknown", 2)
    assert told("get_customers", arguments) == ("delete", NOTHING)


def test_a_body_that_a_tool_may_ignore_only_raises_a_claim() -> None:
    arguments = {"method": "POST", "url": f"{API}/users", "json": FIVE}
    assert told("delete_customers", arguments)[1] == NOTHING
    assert told("delete_customers", arguments, claim=3)[1] == 5
    assert told("delete_customers", arguments, claim=9)[1] == 9


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "DELETE", "url": f"{API}/users", "json": {"ids": [1]}},
        {"method": "POST", "url": f"{API}/jobs", "json": {"ids": [1]}, "body": {"apply": "all of them"}},
        {"method": "POST", "url": f"{API}/jobs", "params": {"ids": "1"}},
        {"method": "POST", "url": f"{API}/jobs", "json": {"ids": [1], "query": "all of them"}},
    ],
)
def test_a_list_that_the_server_may_ignore_makes_nothing_known(arguments: dict[str, Any]) -> None:
    assert told("http_request", arguments)[1] == NOTHING


def test_a_claim_neither_lowers_a_list_nor_makes_a_condition_known() -> None:
    assert told("http_request", {"method": "POST", "url": API, "json": FIVE}, claim=1)[1] == 5
    assert told("http_request", {"method": "POST", "url": API, "json": FIVE}, claim=50)[1] == 50
    assert told("http_request", {"method": "DELETE", "url": f"{API}/users?filter=x"}, claim=1)[1] is None


def test_a_declared_fact_outranks_a_condition() -> None:
    spec = ToolSpec(name="http_request", facts={"record_count": FactSpec(constant=7)})
    assert told("http_request", {"method": "DELETE", "url": f"{API}/users"}, spec=spec)[1] == 7


def test_a_declared_family_that_is_not_http_reads_no_body_and_no_document() -> None:
    spec = ToolSpec(name="tool_x", family=Family.GENERIC)
    arguments = {"method": "POST", "url": QL, "json": FIVE, "query": DELETES}
    assert told("tool_x", arguments, spec=spec) == ("unknown", NOTHING)


def test_a_declared_http_tool_is_read_whatever_its_name() -> None:
    spec = ToolSpec(name="crm_sync", family=Family.HTTP)
    assert told("crm_sync", {"method": "POST", "url": API, "json": FIVE}, spec=spec)[1] == 5


def test_without_the_reader_a_mutation_is_read_as_any_other_body(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"query": "mutation { deleteUsers(ids: [1]) }"}
    monkeypatch.setitem(sys.modules, "graphql.language", None)
    assert told("http_request", {"method": "POST", "url": QL, "json": body}) == ("send", NOTHING)


@pytest.mark.parametrize(
    "url", ["https://graphql.example", "https://a.example/graphql/users", f"{API}/users"]
)
def test_a_document_sent_to_another_address_makes_nothing_known(url: str) -> None:
    body = {"query": "mutation { deleteUser(id: 1) }"}
    assert told("http_request", {"method": "POST", "url": url, "json": body}) == ("unknown", NOTHING)


def test_more_documents_than_are_read_are_unknown() -> None:
    body = [{"query": "mutation { deleteUser(id: 1) }"}] * 101
    assert told("http_request", {"method": "POST", "url": QL, "json": body}) == ("unknown", None)


def test_what_the_calling_program_says_is_a_read_tells_no_number() -> None:
    call = ActionCall(
        action="http_request",
        operation=Operation.READ,
        arguments={"method": "POST", "url": f"{API}/users", "json": FIVE},
    )
    request = normalize(call, principal=Principal(agent="x"), context=CONTEXT, tools={})
    assert "record_count" not in derive_facts(request, call=call, tools={})


def test_a_fact_that_only_says_at_least_never_leaves_the_enricher() -> None:
    call = ActionCall(
        action="delete_customers",
        arguments={"method": "POST", "url": f"{API}/users", "json": FIVE},
        payload={"record_count": 1},
    )
    request = normalize(call, principal=Principal(agent="x"), context=CONTEXT, tools={})
    assert request.facts["record_count"].source == "at_least"
    assert derive_facts(request, call=call, tools={})["record_count"] == Fact(value=5, source="arguments")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["ids", "filter", "a", "requests", "query"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(["GET", "POST", "PATCH", "DELETE"]), st.integers(0, 9))
def test_a_claim_is_never_lowered_by_a_body(body: Any, method: str, claim: int) -> None:
    _, count = told("http_request", {"method": method, "url": f"{API}/users", "json": body}, claim=claim)
    assert count is None or count >= claim
