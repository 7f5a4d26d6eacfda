"""The machine, replayed exhaustively: every event sequence up to length five, for every kind of decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pytest

from clearance.core.commands import AskApproval, Command, Count, Execute, Finish, Gather, TakeSnapshot, Write
from clearance.core.events import (
    Approved,
    Braked,
    Cancelled,
    Counted,
    CountFailed,
    Event,
    Executed,
    Expired,
    Gathered,
    GatherFailed,
    Parked,
    Refused,
    ReportLost,
    SnapshotFailed,
    SnapshotTaken,
    Spent,
    Stale,
    Unavailable,
    WriteFailed,
    Written,
)
from clearance.core.mediation import Mediation, State, begin, step
from clearance.core.model import (
    Action,
    Answer,
    AnswerKind,
    Approval,
    Context,
    Durability,
    Effect,
    EffectClass,
    Limit,
    Mode,
    Notify,
    ObligationKind,
    Operation,
    OutcomeStatus,
    Principal,
    Radius,
    Reason,
    ReasonCode,
    RecordKind,
    Request,
    Resource,
    Rule,
    Snapshot,
    Touch,
    Transform,
    Verdict,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def radius(count: int | None, *, fingerprint: str = "f1") -> Radius:
    touch = Touch(resource="public.users", operation=Operation.DELETE, count=count)
    return Radius(
        system="crm", fingerprint=fingerprint, effects=frozenset({EffectClass.DELETE}), touches=(touch,)
    )


def yes(*policies: str) -> tuple[Answer, ...]:
    return tuple(Answer(by="person:ann", at=AT, kind=AnswerKind.APPROVE, policy=name) for name in policies)


YES = yes("p")
EVENTS: tuple[Event, ...] = (
    Gathered(at=AT),
    GatherFailed(at=AT),
    Counted(at=AT, radii=(radius(3),)),
    CountFailed(at=AT),
    Written(at=AT),
    WriteFailed(at=AT),
    Approved(at=AT, by=YES),
    Refused(at=AT, by="ann"),
    Expired(at=AT),
    Stale(at=AT),
    Spent(at=AT),
    Parked(at=AT, hold_id="hold_1", expires_at=AT),
    Braked(at=AT, reason=Reason(code=ReasonCode.PAUSED, message="stop")),
    Unavailable(at=AT),
    SnapshotTaken(at=AT, snapshot_id="s1"),
    SnapshotFailed(at=AT),
    Executed(at=AT, status=OutcomeStatus.SUCCEEDED, result=1),
    ReportLost(at=AT),
    Cancelled(at=AT),
)


def request(*, honours: Sequence[ObligationKind] = (), systems: tuple[str, ...] = ()) -> Request:
    return Request(
        principal=Principal(agent="billing"),
        action=Action(tool="pay", operation=Operation.SEND, arguments={"to": "a@b.example", "n": 1}),
        resources=(Resource(kind="email", name="a@b.example"),),
        context=Context(run_id="run_1", action_id="act_1", at=AT, honours=tuple(honours), systems=systems),
    )


class Judge:
    """Says the same of every request."""

    version = "v1"

    def __init__(self, *verdicts: Verdict) -> None:
        self._verdicts = list(verdicts)

    def verdicts(self, request: Request) -> list[Verdict]:
        return list(self._verdicts)


def verdict(rule: Rule, code: ReasonCode, obligation: object = None, *, name: str = "p") -> Verdict:
    return (
        msgspec.convert(
            {"policy": name, "rule": rule, "mode": Mode.ENFORCE, "code": code, "message": "why"}, Verdict
        )
        if obligation is None
        else Verdict(
            policy=name, rule=rule, mode=Mode.ENFORCE, code=code, message="why", obligation=obligation
        )
    )


ALLOW = Judge()
BLOCK = Judge(verdict(Rule.BLOCK, ReasonCode.POLICY_BLOCK))
ASK = Judge(verdict(Rule.REQUIRE_APPROVAL, ReasonCode.APPROVAL_REQUIRED, Approval(policy="p")))
ASK_TWICE = Judge(
    verdict(Rule.REQUIRE_APPROVAL, ReasonCode.APPROVAL_REQUIRED, Approval(policy="p"), name="p"),
    verdict(Rule.REQUIRE_APPROVAL, ReasonCode.APPROVAL_REQUIRED, Approval(policy="q"), name="q"),
)
SAVE = Judge(verdict(Rule.SNAPSHOT, ReasonCode.POLICY_SNAPSHOT, Snapshot(policy="p")))
LIMITED = Judge(verdict(Rule.LIMIT, ReasonCode.POLICY_LIMIT, Limit(policy="p", result_items=1)))
REDACT = Judge(verdict(Rule.REDACT, ReasonCode.POLICY_REDACT, Transform(policy="p", paths=("to",))))
JUDGES = {
    "allow": ALLOW,
    "block": BLOCK,
    "ask": ASK,
    "ask_twice": ASK_TWICE,
    "save": SAVE,
    "limited": LIMITED,
    "redact": REDACT,
}
# The same machine where what is touched lies in a configured system, and so is counted first.
COUNTED = {f"counted_{name}": JUDGES[name] for name in ("allow", "block", "ask", "save")}
CASES = {
    **{name: (judge, ()) for name, judge in JUDGES.items()},
    **{name: (judge, ("crm",)) for name, judge in COUNTED.items()},
}


def replay(
    judge: Judge, events: Sequence[Event], *, systems: tuple[str, ...] = ()
) -> list[tuple[Mediation, Command | None]]:
    """Every state passed through and the command it gave, the first included."""
    trail: list[tuple[Mediation, Command | None]] = [begin(request(systems=systems))]
    for event in events:
        trail.append(step(trail[-1][0], event, judge))
    return trail


def code_of(mediation: Mediation) -> ReasonCode:
    assert mediation.decision is not None
    return mediation.decision.reasons[0].code


@dataclass(frozen=True, slots=True)
class Walked:
    """Where a sequence of events has led; what two of them begin with is walked once."""

    judge: Judge
    mediation: Mediation
    command: Command | None
    was_counted: bool
    intent_written: bool = False
    intent_durable: bool = False
    executed: bool = False

    def on(self, event: Event) -> Walked:
        """One event further, with every invariant checked."""
        before, command = self.mediation, self.command
        after, answer = step(before, event, self.judge)
        intent_written = self.intent_written
        if isinstance(command, Write) and command.draft.kind is RecordKind.INTENT:
            intent_written = True
            assert command.durability is Durability.POWER
        is_written = intent_written and isinstance(event, Written) and before.state is State.DECIDED
        intent_durable = self.intent_durable or is_written
        was_counted = self.was_counted or isinstance(event, Counted)
        if isinstance(answer, Execute):
            assert not self.executed, "it ran twice"
            assert self.judge is not BLOCK
            assert was_counted, "something ran that was never counted"
            assert intent_durable, "something ran before its intent was durable"
            assert not after.refused, "a refusal ran"
            assert after.decision is not None
            assert after.decision.effect is Effect.ALLOW
        if before.state is State.DONE:
            assert answer is None, "something followed the end"
            assert after.state is State.DONE
        else:
            assert answer is not None, "the machine fell silent before its end"
        executed = self.executed or isinstance(answer, Execute)
        return Walked(self.judge, after, answer, was_counted, intent_written, intent_durable, executed)


def walk_every_sequence(name: str, length: int) -> int:
    """All sequences that begin with Gathered, and all that do not but are shorter by two; how many."""
    judge, systems = CASES[name]
    # What refuses a held action does so in one way, which Refused stands for in the longest sequences.
    events = [event for event in EVENTS if length < 5 or not isinstance(event, Expired | Stale | Spent)]

    def walk(walked: Walked, length: int) -> int:
        return sum(walk(walked.on(event), length - 1) for event in events) if length else 1

    start = Walked(judge, *begin(request(systems=systems)), was_counted=not systems)
    return walk(start.on(events[0]), length - 1) + walk(start, length - 2)


@pytest.mark.parametrize("name", CASES)
def test_every_sequence_of_four_events_keeps_every_invariant(name: str) -> None:
    assert walk_every_sequence(name, 4) == 19**3 + 19**2


@pytest.mark.servers  # takes its time
def test_every_sequence_of_five_events_keeps_every_invariant_where_people_are_asked() -> None:
    assert walk_every_sequence("ask", 5) == 16**4 + 16**3


@pytest.mark.parametrize("name", CASES)
def test_every_path_ends_in_done_or_parked_when_the_world_answers_each_command_somehow(name: str) -> None:
    judge, systems = CASES[name]
    answers: dict[type, tuple[Event, ...]] = {
        Gather: (Gathered(at=AT), GatherFailed(at=AT), Cancelled(at=AT)),
        Count: (Counted(at=AT, radii=(radius(3),)), CountFailed(at=AT), Unavailable(at=AT), Cancelled(at=AT)),
        Write: (Written(at=AT), WriteFailed(at=AT)),
        AskApproval: (
            Approved(at=AT, by=yes("p", "q")),
            Refused(at=AT, by="a"),
            Expired(at=AT),
            Stale(at=AT),
            Spent(at=AT),
            Parked(at=AT, hold_id="hold_1", expires_at=AT),
            Unavailable(at=AT),
        ),
        TakeSnapshot: (SnapshotTaken(at=AT, snapshot_id="s"), SnapshotFailed(at=AT), Unavailable(at=AT)),
        Execute: (Executed(at=AT, status=OutcomeStatus.FAILED), ReportLost(at=AT), Cancelled(at=AT)),
    }
    for honours in ((), (ObligationKind.LIMIT, ObligationKind.TRANSFORM)):
        open_paths = [begin(request(honours=honours, systems=systems))]
        for _ in range(14):
            following = []
            for mediation, command in open_paths:
                if isinstance(command, Finish):
                    assert mediation.state is (State.HELD if mediation.hold_id else State.DONE)
                    continue
                assert command is not None
                following += [step(mediation, event, judge) for event in answers[type(command)]]
            open_paths = following
        assert not open_paths, "a path did not end within fourteen answers"


def test_an_allowed_action_writes_its_intent_runs_and_writes_its_outcome() -> None:
    done = Executed(at=AT, status=OutcomeStatus.SUCCEEDED, result=1)
    trail = replay(ALLOW, [Gathered(at=AT), Written(at=AT), done, Written(at=AT)])
    kinds = [type(command) for _, command in trail]
    assert kinds == [Gather, Write, Execute, Write, Finish]
    intent, outcome = trail[1][1], trail[3][1]
    assert isinstance(intent, Write)
    assert isinstance(outcome, Write)
    assert (intent.draft.kind, outcome.draft.kind) == (RecordKind.INTENT, RecordKind.OUTCOME)
    assert outcome.draft.status == "succeeded"
    assert trail[-1][0].outcome is OutcomeStatus.SUCCEEDED


def test_a_blocked_action_is_recorded_as_a_refusal_and_ends() -> None:
    trail = replay(BLOCK, [Gathered(at=AT), Written(at=AT)])
    write = trail[1][1]
    assert isinstance(write, Write)
    assert write.draft.kind is RecordKind.REFUSAL
    assert isinstance(trail[2][1], Finish)


def test_a_store_that_is_down_refuses_even_what_is_allowed() -> None:
    mediation, command = replay(ALLOW, [Gathered(at=AT), WriteFailed(at=AT)])[-1]
    assert isinstance(command, Finish)
    assert mediation.refused
    assert mediation.decision is not None
    assert mediation.decision.reasons[0].code is ReasonCode.STORE_UNAVAILABLE


def test_two_holds_need_two_approvals_and_an_intent_before_it_runs() -> None:
    both = Approved(at=AT, by=yes("p", "q"))
    trail = replay(ASK_TWICE, [Gathered(at=AT), Written(at=AT), both, Written(at=AT)])
    kinds = [type(command) for _, command in trail]
    assert kinds == [Gather, Write, AskApproval, Write, Execute]
    assert trail[-1][0].approved_by == yes("p", "q")


def test_one_yes_where_two_are_needed_refuses() -> None:
    one = Approved(at=AT, by=yes("p"))
    mediation, command = replay(ASK_TWICE, [Gathered(at=AT), Written(at=AT), one])[-1]
    assert isinstance(command, Write)
    assert code_of(mediation) is ReasonCode.PROTOCOL_VIOLATION


def test_a_parked_action_ends_held_and_runs_nothing() -> None:
    parked = Parked(at=AT, hold_id="hold_1", expires_at=AT)
    mediation, command = replay(ASK, [Gathered(at=AT), Written(at=AT), parked])[-1]
    assert isinstance(command, Finish)
    assert (mediation.state, mediation.hold_id) == (State.HELD, "hold_1")
    assert code_of(mediation) is ReasonCode.APPROVAL_REQUIRED


def test_a_continued_action_is_not_recorded_as_held_again() -> None:
    first, _ = begin(request(), hold_id="hold_1")
    _, command = step(first, Gathered(at=AT), ASK)
    assert isinstance(command, AskApproval)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Stale(at=AT), ReasonCode.APPROVAL_STALE),
        (Spent(at=AT), ReasonCode.APPROVAL_USED),
        (Refused(at=AT, by="ann"), ReasonCode.APPROVAL_REFUSED),
        (Expired(at=AT), ReasonCode.APPROVAL_EXPIRED),
        (Unavailable(at=AT), ReasonCode.APPROVAL_UNAVAILABLE),
    ],
)
def test_whatever_is_no_yes_refuses_with_its_own_code(event: Event, code: ReasonCode) -> None:
    mediation, command = replay(ASK, [Gathered(at=AT), Written(at=AT), event])[-1]
    assert isinstance(command, Write)
    assert command.draft.kind is RecordKind.REFUSAL
    assert code_of(mediation) is code


@pytest.mark.parametrize("before", [State.DECIDED, State.SAVING])
def test_a_brake_pulled_after_the_decision_stops_what_has_not_begun(before: State) -> None:
    judge = ALLOW if before is State.DECIDED else SAVE
    events: list[Event] = [Gathered(at=AT)] + ([Written(at=AT)] if before is State.SAVING else [])
    held = replay(judge, events)[-1][0]
    braked = Braked(at=AT, reason=Reason(code=ReasonCode.PAUSED, message="stop"))
    assert held.state is before
    mediation, command = step(held, braked, judge)
    assert isinstance(command, Write)
    assert code_of(mediation) is ReasonCode.PAUSED


def test_a_snapshot_is_on_record_before_the_action_runs() -> None:
    taken = SnapshotTaken(at=AT, snapshot_id="snap_9")
    trail = replay(SAVE, [Gathered(at=AT), Written(at=AT), taken, Written(at=AT)])
    kinds = [type(command) for _, command in trail]
    assert kinds == [Gather, Write, TakeSnapshot, Write, Execute]
    write = trail[3][1]
    assert isinstance(write, Write)
    assert write.draft.kind is RecordKind.SNAPSHOT
    assert b"snap_9" in bytes(write.draft.body)


@pytest.mark.parametrize("name", ["limited", "redact"])
def test_an_obligation_that_the_door_cannot_honour_refuses(name: str) -> None:
    mediation, _ = replay(JUDGES[name], [Gathered(at=AT)])[-1]
    assert mediation.refused
    assert mediation.decision is not None
    assert mediation.decision.reasons[0].code is ReasonCode.OBLIGATION_NOT_SUPPORTED


def test_a_door_that_redacts_runs_the_redacted_arguments_and_records_only_those() -> None:
    first = begin(request(honours=(ObligationKind.TRANSFORM,)))
    mediation, write = step(first[0], Gathered(at=AT), REDACT)
    assert isinstance(write, Write)
    assert b"a@b.example" not in bytes(
        msgspec.json.decode(write.draft.body, type=dict)["arguments"]["to"], "utf8"
    )
    _, execute = step(mediation, Written(at=AT), REDACT)
    assert isinstance(execute, Execute)
    assert execute.arguments == {"to": "[redacted]", "n": 1}
    assert mediation.redacted == ("to",)


def test_a_redaction_that_changes_nothing_asks_nothing_of_the_door() -> None:
    judge = Judge(verdict(Rule.REDACT, ReasonCode.POLICY_REDACT, Transform(policy="p", patterns=("iban",))))
    mediation, _ = replay(judge, [Gathered(at=AT)])[-1]
    assert not mediation.refused


def test_an_event_out_of_order_while_it_runs_closes_the_action_as_unknown() -> None:
    mediation, command = replay(ALLOW, [Gathered(at=AT), Written(at=AT), Gathered(at=AT)])[-1]
    assert mediation.outcome is OutcomeStatus.UNKNOWN
    assert isinstance(command, Write)
    assert command.draft.status == "unknown"


def test_an_alert_rides_on_an_allowed_action() -> None:
    judge = Judge(verdict(Rule.ALERT, ReasonCode.POLICY_ALERT, Notify(policy="p", message="look")))
    mediation, _ = replay(judge, [Gathered(at=AT)])[-1]
    assert mediation.decision is not None
    assert mediation.decision.effect is Effect.ALLOW
    assert mediation.decision.obligations == (Notify(policy="p", message="look"),)


CRM = ("crm",)


class Limit25(Judge):
    """Blocks what touches more than 25 records, and what may."""

    def verdicts(self, request: Request) -> list[Verdict]:
        fact = request.facts.get("record_count")
        if fact is not None and isinstance(fact.value, int) and fact.value <= 25:
            return []
        known = fact is not None and fact.value is not None
        blocked = verdict(Rule.BLOCK, ReasonCode.POLICY_BLOCK)
        return [msgspec.structs.replace(blocked, certain=known)]


def test_what_was_counted_decides_and_not_what_was_claimed() -> None:
    for count, refused in ((25, False), (26, True), (None, True)):
        trail = replay(Limit25(), [Gathered(at=AT), Counted(at=AT, radii=(radius(count),))], systems=CRM)
        assert trail[-1][0].refused is refused
        write = trail[-1][1]
        assert isinstance(write, Write)
        assert (b'"count":%d' % count if count else b'"record_count":{"value":null') in bytes(
            write.draft.body
        )


def test_an_action_that_is_refused_whatever_the_count_is_asks_no_system() -> None:
    kinds = [type(command) for _, command in replay(BLOCK, [Gathered(at=AT), Written(at=AT)], systems=CRM)]
    assert kinds == [Gather, Write, Finish]


def test_a_system_that_cannot_be_asked_refuses() -> None:
    mediation, _ = replay(ALLOW, [Gathered(at=AT), CountFailed(at=AT)], systems=CRM)[-1]
    assert mediation.decision is not None
    assert mediation.decision.reasons[0].code is ReasonCode.FACTS_UNAVAILABLE


@pytest.mark.parametrize(
    ("now", "runs"),
    [
        (radius(100), True),
        (radius(99), True),
        (radius(101), False),
        (radius(None), False),
        (radius(100, fingerprint="f2"), False),
    ],
    ids=["the same", "fewer", "more", "not known", "another system"],
)
def test_an_approval_holds_for_what_was_shown_and_nothing_more(now: Radius, runs: bool) -> None:
    events = [
        Gathered(at=AT),
        Counted(at=AT, radii=(radius(100),)),
        Written(at=AT),
        Approved(at=AT, by=YES, shown=(radius(100),)),
        Counted(at=AT, radii=(now,)),
        Written(at=AT),
    ]
    trail = replay(ASK, events, systems=CRM)
    assert [type(command) for _, command in trail[:6]] == [Gather, Count, Write, AskApproval, Count, Write]
    assert isinstance(trail[-1][1], Execute) is runs
    if not runs:
        assert trail[-1][0].decision is not None
        assert trail[-1][0].decision.reasons[0].code is ReasonCode.RADIUS_CHANGED


def test_a_door_that_saves_by_itself_is_left_to_it() -> None:
    first, _ = begin(request(honours=(ObligationKind.SNAPSHOT,)))
    decided, _ = step(first, Gathered(at=AT), SAVE)
    _, command = step(decided, Written(at=AT), SAVE)
    assert isinstance(command, Execute)
