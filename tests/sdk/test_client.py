"""The client, embedded: checks, reports, policies, the source text's own snippets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clearance import Client, ConflictError, Effect, NotFoundError, PolicyError, RequestError
from clearance.core.model import RecordKind

BLAST_RADIUS = {
    "name": "blast_radius_limit",
    "rule": "block",
    "condition": {"action": "update", "record_count_exceeds": 25},
}
NO_PRODUCTION_DELETES = {
    "name": "no_production_deletes",
    "rule": "block",
    "condition": {"action": "delete", "resource_pattern": "production.*"},
}
EMAIL_VOLUME = {
    "name": "email_volume_alert",
    "rule": "alert",
    "condition": {"action": "send_email", "recipient_count_exceeds": 50},
}


@pytest.mark.parametrize(("count", "blocked"), [(25, False), (26, True), (None, True), ("many", True)])
def test_the_blast_radius_limit_holds_and_fails_closed(client: Client, count: object, blocked: bool) -> None:
    client.policies.create(BLAST_RADIUS)
    result = client.check(action="update", resource="users.accounts", payload={"record_count": count})
    assert result.blocked is blocked
    assert result.allowed is not blocked


def test_deletes_are_blocked_in_production_and_nowhere_else(client: Client) -> None:
    client.policies.create(NO_PRODUCTION_DELETES)
    assert client.check("delete", "production.users").blocked
    assert client.check("delete", "postgres:crm/users", environment="production").blocked
    assert not client.check("delete", "staging.users").blocked


def test_a_mass_mail_is_let_through_with_an_alert(client: Client) -> None:
    client.policies.create(EMAIL_VOLUME)
    many = [f"user{n}@shop.example" for n in range(51)]
    result = client.check("send_email", arguments={"to": many})
    assert result.allowed
    assert [owed.policy for owed in result.obligations if owed.policy == "email_volume_alert"]
    [run] = client.runs()
    assert run.alerts == 1


def test_creating_the_same_policy_again_changes_nothing_and_another_of_its_name_is_a_conflict(
    client: Client,
) -> None:
    first = client.policies.create(BLAST_RADIUS)
    assert client.policies.create(BLAST_RADIUS).number == first.number
    with pytest.raises(ConflictError):
        client.policies.create({**BLAST_RADIUS, "rule": "alert"})


def test_a_policy_can_be_replaced_and_deleted(client: Client) -> None:
    client.policies.create(BLAST_RADIUS)
    client.policies.replace("blast_radius_limit", {**BLAST_RADIUS, "rule": "alert"})
    assert client.check("update", "t", payload={"record_count": 26}, environment="sandbox").reasons
    client.policies.delete("blast_radius_limit")
    assert "blast_radius_limit" not in {policy["name"] for policy in client.policies.list()}
    with pytest.raises(NotFoundError):
        client.policies.delete("blast_radius_limit")


def test_a_bad_policy_is_refused_whole_and_the_old_ones_stay(client: Client) -> None:
    before = client.policies.list()
    with pytest.raises(PolicyError) as refusal:
        client.policies.create({"name": "x", "rule": "blok", "condition": {"acton": "update"}})
    assert len(refusal.value.problems) == 2
    assert client.policies.list() == before


def test_an_outcome_is_reported_once(client: Client) -> None:
    result = client.check("update", "t", payload={"record_count": 1})
    client.report(result, result={"updated": 1})
    with pytest.raises(ConflictError):
        client.report(result, result={"updated": 1})
    with pytest.raises(NotFoundError):
        client.report("act_none")
    outcome = client.trace(result.run_id)[-1]
    assert outcome.kind is RecordKind.OUTCOME
    assert outcome.status == "succeeded"


def test_checks_within_a_run_land_in_its_trace(client: Client) -> None:
    with client.run(goal="g") as run:
        assert client.check("read", "t").run_id == run.run_id
        assert run.check("read", "t").effect is Effect.ALLOW


async def test_the_async_names_do_the_same(client: Client) -> None:
    async with client.run(goal="g") as run:
        result = await client.acheck("read", "t")
        await client.areport(result, result=1)
    assert [r.kind.value for r in client.trace(run.run_id)] == [
        "run_started",
        "intent",
        "outcome",
        "run_ended",
    ]
    await client.aclose()


@pytest.mark.parametrize("call", [{"action": ""}, {"action": 3}, {"action": "x", "operation": "remove"}])
def test_a_call_that_cannot_be_judged_raises_and_records_nothing(
    client: Client, call: dict[str, str]
) -> None:
    with pytest.raises(RequestError):
        client.check(**call)  # type: ignore[arg-type]
    assert all(run.actions == 0 for run in client.runs())


def test_an_unknown_detail_is_an_error_not_ignored(client: Client) -> None:
    with pytest.raises(RequestError, match="unknown field"):
        client.check("read", "t", enviroment="sandbox")


def test_a_store_reads_back_in_another_process(client: Client, tmp_path: Path) -> None:
    with client.run(goal="seen from outside") as run:
        client.check("read", "t")
    code = (
        "from clearance import Client; import sys;"
        f"print([r.goal for r in Client(sys.argv[1]).runs() if r.run_id == {run.run_id!r}])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "['seen from outside']"


def test_a_client_in_memory_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Client("memory") as client:
        assert client.check("read", "t").allowed
    assert list(tmp_path.iterdir()) == []


def test_without_arguments_the_store_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Client() as client:
        client.check("read", "t")
    assert (tmp_path / ".clearance" / "state.db").exists()


def test_stateful_rules_survive_a_restart(tmp_path: Path) -> None:
    flow = {
        "name": "no_sending_after_reading_mail",
        "rule": "block",
        "condition": {"operation": "send", "after": {"match": {"tool": "read_inbox"}}},
    }
    with Client(tmp_path / "s", agent="a") as client:
        client.policies.create(flow)
        run_id = client.check("read_inbox").run_id
        assert client.check("send_email", arguments={"to": "a@b.example"}, run_id=run_id).blocked
    with Client(tmp_path / "s", agent="a") as client:
        assert client.check("send_email", arguments={"to": "a@b.example"}, run_id=run_id).blocked
        assert client.check("send_email", arguments={"to": "a@b.example"}).allowed
