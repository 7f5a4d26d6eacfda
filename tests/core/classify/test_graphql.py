"""GraphQL: aliases, fragments and variables count; a condition has no number; two operations are unknown."""

from __future__ import annotations

import pytest

from clearance.core.classify.graphql import classify_graphql
from clearance.core.model import Operation
from clearance.core.model.effects import EffectClass


@pytest.mark.parametrize(
    ("document", "variables", "counts"),
    [
        ("{ users { id } }", {}, [1]),
        ("mutation { a: deleteUser(id: 1) b: deleteUser(id: 2) }", {}, [1, 1]),
        ("mutation { deleteUsers(ids: [1, 2, 3]) }", {}, [3]),
        ("mutation($ids: [ID!]) { deleteUsers(ids: $ids) }", {"ids": [1, 2]}, [2]),
        ("mutation($ids: [ID!]) { deleteUsers(ids: $ids) }", {}, [None]),
        ("mutation($i: I) { deleteUsers(input: {ids: $i}) }", {}, [None]),
        ("mutation { deleteUsers(where: {age: 3}) }", {}, [None]),
        ("mutation { updateUsers(input: {filter: {age: 3}}) }", {}, [None]),
        ("mutation { updateMany(updates: [{where: {age: 3}}]) }", {}, [None]),
        ("mutation { createAll(data: [{posts: [1, 2]}, {posts: [3]}]) }", {}, [3]),
        ("mutation { archiveUsers(olderThan: 3) }", {}, [None]),
        ("mutation { bulkUpdate(set: 3) }", {}, [None]),
        ("mutation { updateAddress(id: 1) }", {}, [1]),
        ("mutation { clearCache }", {}, [None]),
        ("mutation { ...F } fragment F on M { deleteA(id: 1) deleteB(id: 2) }", {}, [1, 1]),
        ("mutation { ... on M { deleteA(id: 1) } }", {}, [1]),
    ],
)
def test_every_root_field_is_counted(
    document: str, variables: dict[str, object], counts: list[int | None]
) -> None:
    _, touches = classify_graphql(document, variables)
    assert [touch.count for touch in touches] == counts


def test_a_mutation_is_a_write_or_by_its_name_a_deletion() -> None:
    query, _ = classify_graphql("{ a }")
    write, _ = classify_graphql("mutation { createUser(name: 1) }")
    delete, touches = classify_graphql("mutation { x: bulkDeleteUser(id: 1) }")
    assert EffectClass.WRITE not in query.effects
    assert {EffectClass.WRITE} == write.effects - {EffectClass.OUTBOUND}
    assert EffectClass.DELETE in delete.effects
    assert touches[0].operation is Operation.DELETE


@pytest.mark.parametrize(
    "document",
    [
        "",
        "mutation {",
        "query A { a } mutation B { b }",
        "fragment F on M { a }",
        "mutation { ...F } fragment F on M { ...F }",
        "mutation { ...Missing }",
        "{" * 5000,
    ],
)
def test_what_cannot_be_told_is_unknown(document: str) -> None:
    found, touches = classify_graphql(document)
    assert (EffectClass.UNKNOWN in found.effects, touches) == (True, ())


def test_the_named_operation_of_several_is_read() -> None:
    found, _ = classify_graphql("query A { a } mutation B { removeX }", operation_name="B")
    assert EffectClass.DELETE in found.effects
