"""Which tables foreign keys reach, from catalogues written by hand."""

from __future__ import annotations

from clearance.adapters.systems.mysql.catalogue import ForeignKey
from clearance.adapters.systems.mysql.closure import Event, reach

DELETED = Event(deletes=True)


def key(child: str, parent: str, *, on_delete: str = "RESTRICT", on_update: str = "RESTRICT") -> ForeignKey:
    return ForeignKey(
        name=f"{child}_{parent}",
        child=("s", child),
        columns=(f"{parent}_id",),
        parent=("s", parent),
        parent_columns=("id",),
        on_delete=on_delete,
        on_update=on_update,
    )


def test_a_delete_reaches_every_level_of_cascades() -> None:
    found = reach(
        {("s", "a"): DELETED}, [key("c", "b", on_delete="CASCADE"), key("b", "a", on_delete="CASCADE")]
    )
    assert found.events == {("s", name): DELETED for name in "abc"}


def test_set_null_changes_a_column_and_deletes_nothing() -> None:
    found = reach(
        {("s", "a"): DELETED}, [key("b", "a", on_delete="SET NULL"), key("c", "b", on_delete="CASCADE")]
    )
    assert found.events["s", "b"] == Event(columns=frozenset({"a_id"}))
    assert ("s", "c") not in found.events


def test_a_restricting_key_is_not_followed() -> None:
    assert reach({("s", "a"): DELETED}, [key("b", "a")]).edges == ()


def test_an_update_follows_only_keys_on_the_columns_that_change() -> None:
    keys = [key("b", "a", on_update="CASCADE", on_delete="CASCADE")]
    assert reach({("s", "a"): Event(columns=frozenset({"name"}))}, keys).edges == ()
    found = reach({("s", "a"): Event(columns=frozenset({"id"}))}, keys)
    assert found.events["s", "b"] == Event(columns=frozenset({"a_id"}))


def test_a_cycle_comes_to_an_end() -> None:
    keys = [
        key("a", "a", on_delete="CASCADE"),
        key("b", "a", on_delete="CASCADE"),
        key("a", "b", on_delete="CASCADE"),
    ]
    assert len(reach({("s", "a"): DELETED}, keys).edges) == 3
