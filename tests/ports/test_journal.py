"""What every journal promises, whatever holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import Draft, Durability, OutcomeStatus, RecordKind
from clearance.core.model.record import GENESIS, seal
from clearance.errors import StoreError
from clearance.ports import Journal, RecordQuery, RunQuery

Make = Callable[..., Draft]
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_what_is_appended_is_read_back_field_by_field(journal: Journal, draft: Make) -> None:
    written = draft(
        kind="intent",
        second=0.123456,
        node="n1",
        action_id="a-1",
        tool="send_email",
        operation="send",
        effect="allow",
        status="ok",
        body={"text": "Grüße, 世界", "nul": "\x00"},
    )
    [record] = journal.append([written])
    assert record == seal(written, seq=1, prev_hash=GENESIS, position=1, prev_chain=GENESIS)
    assert journal.run("run-a") == [record]
    assert journal.action("a-1") == [record]
    assert record.decoded() == {"text": "Grüße, 世界", "nul": "\x00"}


@pytest.mark.parametrize("durability", Durability)
def test_runs_are_numbered_from_one_without_gaps(
    journal: Journal, draft: Make, durability: Durability
) -> None:
    for _ in range(3):
        journal.append([draft("run-a"), draft("run-b"), draft("run-a")], durability=durability)
    assert [record.seq for record in journal.run("run-a")] == [1, 2, 3, 4, 5, 6]
    assert [record.seq for record in journal.run("run-b")] == [1, 2, 3]
    assert [record.position for record in journal.run("run-b")] == [2, 5, 8]
    assert not journal.verify().problems


def test_the_administrative_record_is_no_run_among_runs(journal: Journal, draft: Make) -> None:
    journal.append([draft(ADMINISTRATION_RUN), draft("run-a")])
    assert [run.run_id for run in journal.runs(RunQuery())] == ["run-a"]
    assert len(journal.run(ADMINISTRATION_RUN)) == 1


def test_an_append_of_nothing_writes_nothing(journal: Journal) -> None:
    assert journal.append([]) == []
    assert journal.verify().records == 0


def test_an_empty_journal_answers_everything(journal: Journal) -> None:
    assert journal.run("none") == journal.action("none") == journal.in_flight() == journal.foreign() == []
    assert journal.runs(RunQuery()) == []
    assert journal.search(RecordQuery(text="x")) == []
    assert journal.verify().head == journal.verify("none").head == GENESIS


@pytest.mark.parametrize(
    "unfit",
    [
        {"at": datetime(2026, 3, 14)},  # noqa: DTZ001 - the point
        {"agent": "\ud800"},
        {"body": msgspec.Raw(b'{"a": "\xff"}')},
        {"kind": RecordKind.INTENT, "body": msgspec.Raw(b"{not json")},
    ],
)
def test_an_append_with_one_unfit_draft_stores_none(
    journal: Journal, draft: Make, unfit: dict[str, object]
) -> None:
    with pytest.raises(StoreError, match="Nothing of this append was stored"):
        journal.append([draft(), msgspec.structs.replace(draft(), **unfit)])
    assert journal.verify().records == 0


def test_a_time_in_another_zone_is_kept_as_utc(journal: Journal, draft: Make) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    journal.append([msgspec.structs.replace(draft(), at=elsewhere)])
    [record] = journal.run("run-a")
    assert record.at == NOON
    assert record.at.tzinfo is UTC
    assert not journal.verify().problems


def test_eight_threads_on_shared_and_own_runs_leave_no_gap(journal: Journal, draft: Make) -> None:
    answers: dict[int, list[tuple[str, int]]] = {}

    def work(number: int) -> None:
        mine = []
        for step in range(200):
            run_id = "shared" if step % 2 else f"own-{number}"
            [record] = journal.append([draft(run_id)], durability=Durability.PROCESS)
            mine.append((record.run_id, record.seq))
        answers[number] = mine

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    acknowledged = [pair for mine in answers.values() for pair in mine]
    assert len(set(acknowledged)) == 1600
    assert [record.seq for record in journal.run("shared")] == list(range(1, 801))
    assert [record.seq for record in journal.run("own-3")] == list(range(1, 101))
    found = journal.verify()
    assert (found.records, found.runs, found.problems) == (1600, 9, ())


def test_a_run_is_summed_up(journal: Journal, draft: Make) -> None:
    told = {"decision": {"effect": "allow", "obligations": [{"type": "notify", "policy": "p"}]}}
    journal.append([draft(kind="run_started", body={"goal": "tidy the inbox"})])
    journal.append([draft(kind="intent", action_id="a", second=1, body=told)])
    journal.append([draft(kind="outcome", action_id="a", second=2)])
    journal.append([draft(kind="refusal", action_id="b", second=3, body={"decision": {}})])
    journal.append([draft(kind="hold", action_id="c", second=4)])
    journal.append([draft(kind="intent", action_id="c", second=5)])
    journal.append([draft(kind="hold", action_id="d", second=6), draft(kind="refusal", action_id="d")])
    [run] = journal.runs(RunQuery())
    assert (run.goal, run.agent, run.status) == ("tidy the inbox", "support_bot", "running")
    assert (run.records, run.actions, run.refused, run.alerts) == (8, 4, 2, 1)
    assert (run.started_at, run.last_at) == (NOON, NOON + timedelta(seconds=6))
    journal.append([draft(kind="run_ended", second=9)])
    assert journal.runs(RunQuery())[0].status == "ended"
    assert not journal.verify().problems


def test_a_body_of_another_form_adds_nothing_to_the_summary(journal: Journal, draft: Make) -> None:
    journal.append([draft(kind="run_started", body={"goal": 7}), draft(kind="intent", body=[1])])
    [run] = journal.runs(RunQuery())
    assert (run.goal, run.alerts) == ("", 0)


def test_runs_are_listed_newest_first_by_agent_and_page(journal: Journal, draft: Make) -> None:
    for number in range(6):
        agent = "even" if number % 2 == 0 else "odd"
        journal.append([draft(f"run-{number}", second=number, agent=agent)])
    journal.append([draft("run-0", second=100)])

    def ids(query: RunQuery) -> list[str]:
        return [run.run_id for run in journal.runs(query)]

    assert ids(RunQuery(limit=2)) == ["run-5", "run-4"]
    assert ids(RunQuery(limit=2, before=NOON + timedelta(seconds=4))) == ["run-3", "run-2"]
    assert ids(RunQuery(agent="even")) == ["run-4", "run-2", "run-0"]
    assert ids(RunQuery(limit=0)) == ids(RunQuery(limit=-1)) == ids(RunQuery(agent="nobody")) == []


@pytest.fixture
def filled(journal: Journal, draft: Make) -> Journal:
    journal.append(
        [
            draft("run-a", "intent", second=1, action_id="1", tool="send_email", operation="send",
                  effect="allow", body={"to": "Ann@Example.com"}),
            draft("run-a", "outcome", second=2, action_id="1", status="succeeded", body={"rate": "100%"}),
            draft("run-b", "refusal", second=3, action_id="2", tool="drop_table", operation="ddl",
                  effect="deny", agent="crm", body={"table": "user_s"}),
            draft("run-b", "note", second=4, agent="crm", body={"table": "users"}),
        ]
    )  # fmt: skip
    return journal


@pytest.mark.parametrize(
    ("query", "positions"),
    [
        (RecordQuery(), [4, 3, 2, 1]),
        (RecordQuery(limit=2), [4, 3]),
        (RecordQuery(limit=0), []),
        (RecordQuery(limit=-5), []),
        (RecordQuery(run_id="run-a"), [2, 1]),
        (RecordQuery(agent="crm"), [4, 3]),
        (RecordQuery(tool="send_email"), [1]),
        (RecordQuery(operation="ddl"), [3]),
        (RecordQuery(effect="deny"), [3]),
        (RecordQuery(kind="note"), [4]),
        (RecordQuery(status="succeeded"), [2]),
        (RecordQuery(agent="crm", kind="intent"), []),
        (RecordQuery(since=NOON + timedelta(seconds=2)), [4, 3, 2]),
        (RecordQuery(until=NOON + timedelta(seconds=2)), [1]),
        (RecordQuery(text="ann@example"), [1]),
        (RecordQuery(text="0%"), [2]),
        (RecordQuery(text="user_s"), [3]),
        (RecordQuery(text="user"), [4, 3]),
        (RecordQuery(text="user", limit=1), [4]),
        (RecordQuery(text="\\"), []),
    ],
)
def test_records_are_found_newest_first(filled: Journal, query: RecordQuery, positions: list[int]) -> None:
    assert [record.position for record in filled.search(query)] == positions


def test_only_intents_without_an_outcome_are_in_flight(journal: Journal, draft: Make) -> None:
    for action_id in "abcd":
        journal.append([draft(kind="intent", action_id=action_id)])
    journal.append([draft(kind="hold", action_id="e"), draft("run-b", "intent", action_id="f")])
    journal.append([draft(kind="outcome", action_id="b", status=OutcomeStatus.UNKNOWN.value)])
    journal.append([draft(kind="snapshot", action_id="a")])
    assert [record.action_id for record in journal.in_flight()] == ["a", "c", "d", "f"]
    journal.append([draft(kind="intent", action_id="e")])
    assert [record.action_id for record in journal.in_flight()][-1] == "e"


def test_a_limit_gives_the_oldest_actions_in_flight(journal: Journal, draft: Make) -> None:
    for action_id in "abcd":
        journal.append([draft(kind="intent", action_id=action_id)])
    journal.append([draft(kind="outcome", action_id="b")])
    assert [record.action_id for record in journal.in_flight(limit=2)] == ["a", "c"]


def test_a_refusal_after_an_intent_closes_the_action_for_it_never_ran(journal: Journal, draft: Make) -> None:
    journal.append([draft(kind="intent", action_id="a"), draft(kind="refusal", action_id="a")])
    assert journal.in_flight() == []
    assert journal.runs(RunQuery())[0].actions == 1


def test_an_action_is_read_back_in_order(journal: Journal, draft: Make) -> None:
    journal.append([draft(kind="hold", action_id="a"), draft(kind="note")])
    journal.append([draft(kind="intent", action_id="a"), draft(kind="outcome", action_id="a")])
    assert [record.kind.value for record in journal.action("a")] == ["hold", "intent", "outcome"]
    assert journal.action("") == []


def test_ones_own_records_are_never_foreign(journal: Journal, draft: Make) -> None:
    assert journal.foreign() == []
    journal.append([draft(), draft("run-b")])
    assert journal.foreign() == []


def test_verification_tells_counts_and_head(filled: Journal) -> None:
    found = filled.verify()
    assert (found.records, found.runs, found.problems) == (4, 2, ())
    assert found.head == filled.search(RecordQuery())[0].chain
    run = filled.verify("run-b")
    assert (run.records, run.runs, run.head) == (2, 1, filled.run("run-b")[-1].hash)


def test_a_journal_knows_only_itself_to_be_alive(journal: Journal) -> None:
    assert len(journal.node) == 16
    assert journal.is_alive(journal.node)
    assert not journal.is_alive("0" * 16)
    assert not journal.is_alive("../../etc")
    assert not journal.is_alive("")
