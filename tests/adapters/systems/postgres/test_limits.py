"""Whether what ran exceeds what was approved."""

from __future__ import annotations

import pytest

from clearance.adapters.systems.postgres.limits import exceeds, of_text
from clearance.core.model import Classification, EffectClass, Exactness, Named, Operation, Radius, Touch


def _radius(*touches: tuple[str, Operation, int | None], server: str = "postgres:1:2") -> Radius:
    return Radius(
        system="crm",
        fingerprint=server,
        effects=frozenset({EffectClass.WRITE}),
        touches=tuple(Touch(resource=name, operation=verb, count=count) for name, verb, count in touches),
    )


APPROVED = _radius(("public.a", Operation.UPDATE, 100), ("public.b", Operation.DELETE, 5))


@pytest.mark.parametrize(
    "ran",
    [
        APPROVED,
        _radius(("public.a", Operation.UPDATE, 99)),
        _radius(("public.a", Operation.UPDATE, 60), ("public.a", Operation.UPDATE, 40)),
        _radius(("public.c", Operation.READ, 10_000)),
        _radius(),
    ],
)
def test_as_many_or_fewer_are_within_the_approval(ran: Radius) -> None:
    assert exceeds(ran, APPROVED) == ()


@pytest.mark.parametrize(
    "ran",
    [
        _radius(("public.a", Operation.UPDATE, 101)),
        _radius(("public.a", Operation.UPDATE, 60), ("public.a", Operation.UPDATE, 41)),
        _radius(("public.a", Operation.DELETE, 1)),
        _radius(("public.c", Operation.CREATE, 1)),
        _radius(server="postgres:1:3"),
    ],
)
def test_more_rows_another_verb_table_or_server_exceed_it(ran: Radius) -> None:
    assert exceeds(ran, APPROVED)


def test_an_unknown_number_that_was_approved_limits_only_what_was_known() -> None:
    open_ended = _radius(("the statement", Operation.EXECUTE, None), ("public.a", Operation.UPDATE, 3))
    assert exceeds(_radius(("public.z", Operation.DELETE, 10)), open_ended) == ()
    assert exceeds(_radius(("public.a", Operation.UPDATE, 4)), open_ended)


def test_a_statement_that_was_not_run_has_no_number() -> None:
    read = Classification(
        effects=frozenset({EffectClass.EXEC}), objects=(Named(name="public.a", operation=Operation.DELETE),)
    )
    judged = of_text("crm", "postgres:1:2", read=read, why=("the role is a superuser",))
    assert judged.radius.count is None
    assert [touch.exactness for touch in judged.radius.touches] == [Exactness.UNKNOWN]
    assert not judged.complete
