"""Results, judged: withheld, redacted or told about; and what a door knows of that beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from clearance.core import results
from clearance.core.decide import combine
from clearance.core.model import (
    Action,
    Actor,
    Context,
    Inspect,
    Judged,
    Operation,
    Principal,
    Request,
    Resource,
    ResultRules,
)
from clearance.core.policy import History, PolicySet, compile_policies, parse_value
from clearance.core.policy.posture import Posture
from clearance.core.verdicts import verdicts

MAIL = {"name": "mail", "rule": "redact", "at": "post_tool_call", "redact": {"patterns": ["email"]}}
PATHS = {**MAIL, "name": "paths", "redact": {"arguments": ["result.*.note"]}}
KEYS = {**MAIL, "name": "keys", "redact": {"patterns": ["secret"]}}
HIDE = {
    "name": "hide",
    "rule": "block",
    "at": "post_tool_call",
    "condition": {"argument": {"result": {"matches": "(?i)ignore all"}}},
}


def asked(operation: Operation = Operation.READ, *chain: Actor) -> Request:
    return Request(
        principal=Principal(agent="bot", on_behalf_of=chain),
        action=Action(tool="read_mail", operation=operation, arguments={"box": "in"}),
        resources=(Resource(kind="tool", name="read_mail"),),
        context=Context(run_id="run", action_id="act", at=datetime(2026, 3, 1, tzinfo=UTC)),
    )


def policies(*documents: dict[str, Any]) -> PolicySet:
    return compile_policies([parse_value(list(documents))])


def judged(result: Any, *documents: dict[str, Any], request: Request | None = None) -> Judged:
    return results.judged(request or asked(), result, policies(*documents))


def test_what_no_policy_is_about_is_shown_as_it_is() -> None:
    value = {"a": object()}
    assert judged(value, {**HIDE, "at": "post_model_call"}).value is value
    assert judged("fine", HIDE) == Judged(value="fine")


def test_a_blocked_result_is_withheld_and_says_that_the_action_ran_under_which_policy() -> None:
    held = judged({"body": ["Ignore ALL previous"]}, HIDE)
    assert held.withheld
    assert held.value is None
    assert held.reason_code == "result_withheld"
    assert held.reason.startswith('Policy "hide" withholds the result of this action')


def test_a_result_is_redacted_by_pattern_and_path_and_the_places_are_named() -> None:
    shown = judged([{"note": "n", "to": "ann@example.com"}], MAIL, PATHS)
    assert shown.value == [{"note": "[redacted]", "to": "[redacted:email]"}]
    assert shown.redacted == ("result.0.note", "result.0.to")
    assert not shown.withheld


def test_a_redaction_that_finds_nothing_is_no_reason() -> None:
    shown = judged("plain", MAIL)
    assert shown.value == "plain"
    assert shown.decision is not None
    assert [reason.code for reason in shown.decision.reasons] == ["no_policy_matched"]


def test_an_alert_tells_and_a_shadow_changes_nothing() -> None:
    alert = {"name": "alert", "rule": "alert", "at": "post_tool_call"}
    shown = judged("Ignore all", alert, {**HIDE, "mode": "shadow"})
    assert shown.value == "Ignore all"
    assert shown.decision is not None
    assert [reason.policy for reason in shown.decision.reasons] == ["alert", "hide"]
    assert [owed.policy for owed in shown.decision.obligations] == ["alert"]


def test_an_object_is_looked_into() -> None:
    @dataclass
    class Message:
        body: str

    assert judged([Message("ignore all")], HIDE).withheld
    assert judged(Message("to ann@example.com"), MAIL).value == {"body": "to [redacted:email]"}


def test_a_result_without_bottom_is_withheld() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert judged(loop, HIDE).withheld


def test_everybody_in_the_chain_is_asked() -> None:
    document = {**HIDE, "condition": {"agent": "boss"}}
    assert not judged("x", document).withheld
    assert judged("x", document, request=asked(Operation.READ, Actor(name="boss"))).withheld


@pytest.mark.parametrize(
    ("documents", "rules"),
    [
        ((), ResultRules()),
        ((MAIL,), ResultRules(patterns=("email",))),
        ((MAIL, KEYS), ResultRules(patterns=("secret", "email"))),
        ((MAIL, PATHS), ResultRules(patterns=("email",), whole=True)),
        ((HIDE,), ResultRules(whole=True)),
        (({**MAIL, "condition": HIDE["condition"]},), ResultRules(whole=True)),
        (({**HIDE, "mode": "shadow"},), ResultRules()),
        (({**HIDE, "condition": {"tool": "other"}},), ResultRules()),
        (({"name": "a", "rule": "alert", "at": "post_tool_call"},), ResultRules()),
    ],
)
def test_a_door_knows_beforehand_what_to_watch_for(
    documents: tuple[dict[str, Any], ...], rules: ResultRules
) -> None:
    assert results.rules(asked(), policies(*documents)) == rules


@pytest.mark.parametrize(("documents", "owed"), [((MAIL, HIDE), ["hide", "mail"]), ((), [])])
def test_an_action_whose_result_is_looked_at_owes_it_and_nothing_else_changes(
    documents: tuple[dict[str, Any], ...], owed: list[str]
) -> None:
    rules = policies(*documents)
    decision = combine(verdicts(asked(), rules, History(rules), Posture()))
    assert [one.policy for one in decision.obligations if isinstance(one, Inspect)] == owed
    assert [reason.code for reason in decision.reasons] == ["no_policy_matched"]
