"""What is kept from a model and put back into its answer: known to the door alone, and only so long."""

from __future__ import annotations

from clearance.core.model import ActionCall, ObligationKind, Operation, OutcomeReport, OutcomeStatus
from tests.runtime.office import BOT, Office

RESTORED = {
    "name": "people",
    "rule": "redact",
    "at": "pre_model_call",
    "redact": {"patterns": ["email"], "restore": True},
}
CALL = ActionCall(
    action="model_call",
    operation=Operation.MODEL_CALL,
    arguments={"model": "m", "messages": [{"role": "user", "content": "Write to ann@a.example"}]},
    honours=(ObligationKind.TRANSFORM,),
)


def test_a_door_can_put_back_what_the_model_did_not_see_until_the_outcome_is_told() -> None:
    office = Office(policies=(RESTORED,))
    result = office.send(CALL, BOT)
    assert result.arguments is not None
    assert result.arguments["messages"][0]["content"] == "Write to [email:1]"
    assert office.point.restorations(result.action_id) == {"[email:1]": "ann@a.example"}
    office.point.report(result.action_id, OutcomeReport(status=OutcomeStatus.SUCCEEDED))
    assert office.point.restorations(result.action_id) == {}


def test_neither_the_answer_nor_the_trace_says_what_was_kept_back() -> None:
    office = Office(policies=(RESTORED,))
    result = office.send(CALL, BOT)
    trace = str([record.decoded() for record in office.journal.run(result.run_id)])
    assert "ann@" not in str(result)
    assert "ann@" not in trace


def test_where_nothing_was_found_there_is_nothing_to_put_back() -> None:
    office = Office(policies=(RESTORED,))
    result = office.send(CALL, BOT, arguments={"model": "m", "messages": []})
    assert result.arguments is None
    assert office.point.restorations(result.action_id) == {}
