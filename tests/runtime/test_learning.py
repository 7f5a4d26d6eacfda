"""Learning from the record: what is proposed, what it would change, and what a person ratifies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearance.config import Settings
from clearance.core.model import ActionCall, Actor, Principal
from clearance.errors import NotFoundError, RequestError
from clearance.runtime.learning import Learning
from clearance.wiring import Assembly, assemble, utc_now


@pytest.fixture
def store() -> Iterator[Assembly]:
    assembly = assemble(Settings(store="memory"))
    yield assembly
    assembly.close()


@pytest.fixture
def learning(store: Assembly) -> Learning:
    return Learning(store.journal, store.control_point.policies, clock=utc_now)


def act(
    store: Assembly, action: str, *, agent: str = "bot", chain: tuple[Actor, ...] = (), run_id: str = ""
) -> bool:
    call = ActionCall(action=action, agent=agent, run_id=run_id)
    return store.control_point.clear(call, Principal(agent=agent, on_behalf_of=chain), door="sdk").allowed


def test_a_proposal_lists_what_was_done_and_stores_nothing(store: Assembly, learning: Learning) -> None:
    act(store, "read_page")
    act(store, "read_book", agent="other")
    before = store.control_point.policies.document()
    proposal = learning.propose("bot")
    assert [entry["tool"] for entry in proposal.learned.policy["condition"]["any"]] == ["read_page"]
    assert (proposal.learned.actions, proposal.learned.refused_count, proposal.replaces) == (1, 0, False)
    assert store.control_point.policies.document() == before


def test_what_is_ratified_holds_at_once_and_leaves_what_was_seen_alone(
    store: Assembly, learning: Learning
) -> None:
    act(store, "read_page")
    learning.ratify("bot", learning.propose("bot").learned.policy, by="person:eve")
    assert act(store, "read_page")
    assert not act(store, "write_page")
    assert act(store, "write_page", agent="other")


def test_what_others_did_for_it_is_learned_too(store: Assembly, learning: Learning) -> None:
    act(store, "read_page")
    act(store, "read_book", agent="helper", chain=(Actor(name="bot"),))
    learned = learning.propose("bot").learned
    assert learned.actions == 2
    learning.ratify("bot", learned.policy, by="person:eve")
    assert act(store, "read_book", agent="helper", chain=(Actor(name="bot"),))
    assert not act(store, "read_diary", agent="helper", chain=(Actor(name="bot"),))


def test_a_later_lesson_shows_what_it_adds_and_takes_away(store: Assembly, learning: Learning) -> None:
    run = store.control_point.runs.start(agent="bot").run_id
    act(store, "read_page", run_id=run)
    learning.ratify("bot", learning.propose("bot").learned.policy, by="person:eve")
    store.control_point.policies.delete("learned_bot", by="person:eve")
    later = store.control_point.runs.start(agent="bot").run_id
    act(store, "read_book", run_id=later)
    learning.ratify("bot", learning.propose("bot", runs=[run]).learned.policy, by="person:eve")
    proposal = learning.propose("bot", runs=[later])
    assert proposal.replaces and proposal.scopes == ("learned_bot",)
    assert [entry["tool"] for entry in proposal.added] == ["read_book"]
    assert [entry["tool"] for entry in proposal.removed] == ["read_page"]
    learning.ratify("bot", proposal.learned.policy, by="person:eve")
    stored = store.control_point.policies.document()
    assert stored is not None
    assert [one["name"] for one in stored.document["policies"]].count("learned_bot") == 1


def test_there_is_nothing_to_learn_from_an_agent_that_did_nothing(learning: Learning) -> None:
    with pytest.raises(NotFoundError):
        learning.propose("nobody")


def test_every_step_is_told_to_whoever_shows_progress(store: Assembly, learning: Learning) -> None:
    act(store, "read_page")
    shown: list[int] = []

    def watched(steps: object) -> Iterator[int]:
        for step in steps:  # type: ignore[attr-defined]
            shown.append(step)
            yield step

    learning.propose("bot", days=5, progress=watched)
    assert shown == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"rule": "block"},
        {"origin": "written"},
        {"condition": {"any": [{"tool": "x"}]}},
        {"condition": {"agent": "*", "any": [{"tool": "x"}]}},
        {"condition": {"agent": "other", "any": [{"tool": "x"}]}},
        {"condition": {"agent": "bot", "any": [{"tool": "x"}], "tool": "y"}},
    ],
    ids=str,
)
def test_nothing_but_a_learned_scope_of_that_agent_is_stored_by_this_door(
    store: Assembly, learning: Learning, change: dict[str, object]
) -> None:
    act(store, "read_page")
    policy = {**learning.propose("bot").learned.policy, **change}
    with pytest.raises(RequestError):
        learning.ratify("bot", policy, by="person:eve")
