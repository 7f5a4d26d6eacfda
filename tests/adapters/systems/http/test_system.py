"""Records of a real server: counted, saved, put back under ETags, and every way in which that is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.systems.http import HttpApi, open_system
from clearance.core.model import (
    EffectClass,
    Environment,
    Exactness,
    ItemState,
    Operation,
    RestoreMode,
    RestoreStatus,
    Reversibility,
)
from clearance.errors import ConfigurationError, NotFoundError, RecoveryError, SystemUnavailableError
from tests.ports.system_drivers import request
from tests.servers.rest import RestApi, with_time

pytestmark = pytest.mark.servers

ALL = RestoreMode.ALL


@pytest.fixture
def api() -> Iterator[RestApi]:
    with RestApi() as server:
        server.records = {"/users/1": b'{"name": "Ada"}', "/users/2": b'{"name": "Bo"}'}
        yield server


def opened(api: RestApi, images: Path, **options: Any) -> HttpApi:
    base = {"base_url": api.url, "private_addresses": "allow"}
    return open_system("crm", {**base, **options}, images=images)


def acted(system: HttpApi, api: RestApi, **changes: bytes | None) -> None:
    """Save records 1 and 2, let the action change them, settle."""
    system.save(request(record_ids=[1, 2, 3]), ["users"], snapshot_id="snap")
    for name, body in changes.items():
        path = f"/users/{name.removeprefix('r')}"
        if body is None:
            del api.records[path]
        else:
            api.records[path] = body
    system.settle("snap")


def test_named_records_are_counted_once_each(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path, paths={"settings": "/v1/settings"})
    radius = system.measure(request(record_ids=["1", 2, 1]), ["users", "settings"]).radius
    counts = {touch.resource: (touch.count, touch.exactness) for touch in radius.touches}
    assert counts == {"users": (2, Exactness.EXACT), "settings": (1, Exactness.EXACT)}
    assert radius.reversibility is Reversibility.CONTENT
    assert radius.fingerprint == f"http:{api.url}"
    assert {(method, path) for method, path, _, _ in api.seen} <= {("GET", "/")}


@pytest.mark.parametrize(
    ("names", "arguments"),
    [
        ([], {"record_ids": [1]}),
        (["users"], {}),
        (["users"], {"records": [{"id": 1}]}),
        (["users"], {"record_ids": [{"id": 1}]}),
        (["users"], {"record_ids": [".."]}),
        (["users"], {"record_ids": [""]}),
        (["users"], {"record_ids": [1], "filter": {"a": 1}}),
        (["users"], {"query": {"match_all": {}}}),
        (["../admin"], {"record_ids": [1]}),
    ],
)
def test_what_cannot_be_told_is_unknown_and_not_saved(
    api: RestApi, tmp_path: Path, names: list[str], arguments: dict[str, Any]
) -> None:
    system = opened(api, tmp_path)
    radius = system.measure(request(**arguments), names).radius
    assert radius.count is None
    assert EffectClass.UNKNOWN in radius.effects
    assert radius.reversibility is Reversibility.NONE
    assert radius.unknown
    with pytest.raises(RecoveryError):
        system.save(request(**arguments), names, snapshot_id="snap")
    assert {(method, path) for method, path, _, _ in api.seen} <= {("GET", "/")}


@pytest.mark.parametrize(
    ("name", "resource", "key"),
    [
        ("v1/users/17", "users", "17"),
        ("v1/users/a%20b", "users", "a b"),
        ("v1/settings", "settings", ""),
        ("settings", "settings", ""),
    ],
)
def test_a_name_that_is_an_address_is_the_record_there(
    api: RestApi, tmp_path: Path, name: str, resource: str, key: str
) -> None:
    paths = {"users": "/v1/users/{id}", "settings": "/v1/settings"}
    system = opened(api, tmp_path, paths=paths)
    [touch] = system.measure(request(), [name]).radius.touches
    assert (touch.resource, touch.count, touch.sample) == (resource, 1, (key,))
    if key:
        assert system.measure(request(id=key), [name]).radius.touches == (touch,)
        assert system.measure(request(id="another"), [name]).radius.count is None
    for other in (
        "v1/users",
        "v1/users/",
        "v1/users/1/orders",
        "v1/users/..",
        "v1/users/1?x=2",
        "v2/users/1",
    ):
        assert system.measure(request(), [other]).radius.count is None


def test_a_condition_is_counted_by_the_count_endpoint_with_the_same_condition(
    api: RestApi, tmp_path: Path
) -> None:
    counts = {"users": "GET /users/_count", "logs": "POST /logs/_count"}
    system = opened(api, tmp_path, count_paths=counts)
    api.counts = {"/users/_count": b'{"count": 41}', "/logs/_count": b"7"}
    by_query = request(Operation.DELETE, filter={"status": "old & new"})
    radius = system.measure(by_query, ["users"]).radius
    assert (radius.count, radius.reversibility) == (41, Reversibility.NONE)
    assert api.sent("GET")[0][0] == "/users/_count?status=old+%26+new"
    nested = request(Operation.DELETE, query={"range": {"age": {"lt": 9}}})
    assert system.measure(nested, ["logs"]).radius.count == 7
    assert json.loads(api.sent("POST")[0][2]) == {"query": {"range": {"age": {"lt": 9}}}}
    assert system.measure(nested, ["users"]).radius.count is None


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"-1", b"true", b'"7"', b"1.5", b'{"count": 1, "total": 2}', b'{"count": null}', b"[]"],
)
def test_an_answer_that_is_no_count_is_unknown(api: RestApi, tmp_path: Path, answer: bytes) -> None:
    api.counts["/users/_count"] = answer
    system = opened(api, tmp_path, count_paths={"users": "GET /users/_count"})
    radius = system.measure(request(filter="x"), ["users"]).radius
    assert radius.count is None
    assert radius.touches[0].exactness is Exactness.UNKNOWN


def test_a_put_carries_the_etag_of_what_the_action_left(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path)
    acted(system, api, r1=b'{"name": "Eve"}')
    tag = api.tag(b'{"name": "Eve"}')
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    [(path, headers, body)] = api.sent("PUT")
    assert (path, headers["if-match"], body) == ("/users/1", tag, b'{"name": "Ada"}')
    assert headers["content-type"] == "application/json"
    assert (report.status, report.verified) == (RestoreStatus.RESTORED, True)


def test_a_write_in_the_last_instant_is_answered_412_and_kept(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path)
    acted(system, api, r1=b'{"name": "Eve"}', r2=b'{"name": "Eve 2"}')
    api.before["PUT"] = lambda: api.records.update({"/users/1": b"{}", "/users/2": b"{}"})
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.CONFLICT
    assert api.records == {"/users/1": b"{}", "/users/2": b"{}"}
    assert any("412" in item.why for item in report.items)


@pytest.mark.parametrize("tags", ["weak", "none"])
def test_without_a_strong_etag_a_fresh_read_decides(api: RestApi, tmp_path: Path, tags: Any) -> None:
    api.tags = tags
    system = opened(api, tmp_path)
    acted(system, api, r1=b'{"name": "Eve"}', r2=None)
    api.records["/users/1"] = b'{"name": "Mallory"}'
    assert system.restore("snap", as_snapshot="r1", mode=ALL).status is RestoreStatus.CONFLICT
    assert api.records["/users/1"] == b'{"name": "Mallory"}'
    api.records["/users/1"] = b'{"name": "Eve"}'
    assert system.restore("snap", as_snapshot="r2", mode=ALL).status is RestoreStatus.RESTORED
    assert api.records == {"/users/1": b'{"name": "Ada"}', "/users/2": b'{"name": "Bo"}'}
    assert all("if-match" not in headers for _, headers, _ in api.sent("PUT"))


def test_only_a_record_that_the_action_created_is_deleted(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path)
    acted(system, api, r3=b'{"name": "new"}')
    api.records["/users/3"] = b'{"name": "somebody else\'s"}'
    assert system.restore("snap", as_snapshot="r1", mode=ALL).status is RestoreStatus.CONFLICT
    assert "/users/3" in api.records
    api.records["/users/3"] = b'{"name": "new"}'
    assert system.restore("snap", as_snapshot="r2", mode=ALL).status is RestoreStatus.RESTORED
    assert "/users/3" not in api.records
    [(_, headers, _)] = api.sent("DELETE")
    assert headers["if-match"] == api.tag(b'{"name": "new"}')


def test_a_deleted_record_returns_at_its_own_address_only_if_nobody_took_it(
    api: RestApi, tmp_path: Path
) -> None:
    system = opened(api, tmp_path)
    acted(system, api, r1=None)
    api.before["PUT"] = lambda: api.records.update({"/users/1": b"taken"})
    assert system.restore("snap", as_snapshot="r1", mode=ALL).status is RestoreStatus.CONFLICT
    assert api.records["/users/1"] == b"taken"
    del api.records["/users/1"]
    assert system.restore("snap", as_snapshot="r2", mode=ALL).status is RestoreStatus.RESTORED
    assert api.sent("PUT")[-1][1]["if-none-match"] == "*"


def test_a_record_made_by_post_gets_a_new_identity_and_can_be_taken_away_again(
    api: RestApi, tmp_path: Path
) -> None:
    system = opened(api, tmp_path, undo="post")
    acted(system, api, r1=None)
    assert any("new id" in sentence for sentence in system.verify("snap").irreversible)
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.RESTORED
    assert [item.why for item in report.items if item.state is ItemState.RESTORED] == ["new identity: 100"]
    assert api.records["/users/100"] == b'{"name": "Ada"}'
    redo = system.restore("replaced", as_snapshot="again", mode=ALL)
    assert redo.status is RestoreStatus.RESTORED
    assert set(api.records) == {"/users/2"}


def test_a_post_whose_answer_was_lost_is_not_sent_again(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path, undo="post")
    acted(system, api, r1=None)
    real = api.answer

    def lose(method: str, *rest: Any) -> Any:
        answer = real(method, *rest)
        return (500, {}, b"") if method == "POST" else answer

    api.answer = lose  # type: ignore[method-assign]
    with pytest.raises(SystemUnavailableError):
        system.restore("snap", as_snapshot="replaced", mode=ALL)
    report = system.restore("snap", as_snapshot="replaced", mode=RestoreMode.FREE)
    assert (report.skipped, report.restored) == (1, 0)
    assert "by hand" in report.items[0].why
    assert len(api.sent("POST")) == 1
    assert api.sent("POST")[0][1]["idempotency-key"]
    assert set(api.records) == {"/users/2", "/users/100"}


def test_fields_of_the_server_make_a_restore_differ_unless_they_are_ignored(
    api: RestApi, tmp_path: Path
) -> None:
    api.stored = with_time
    strict = opened(api, tmp_path / "a")
    acted(strict, api, r1=b'{"name": "Eve"}')
    report = strict.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.verified) == (RestoreStatus.PARTIAL, False)
    assert "ignore_fields" in report.items[0].why
    api.records["/users/1"] = b'{"name": "Ada"}'
    told = opened(api, tmp_path / "b", ignore_fields=["updated_at"])
    acted(told, api, r1=b'{"name": "Eve"}')
    report = told.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.verified) == (RestoreStatus.RESTORED, True)
    assert json.loads(api.records["/users/1"])["name"] == "Ada"


@pytest.mark.parametrize("status", [400, 401, 403, 405, 422])
def test_a_server_that_declines_a_put_leaves_everything_as_it_was(
    api: RestApi, tmp_path: Path, status: int
) -> None:
    system = opened(api, tmp_path)
    acted(system, api, r1=b'{"name": "Eve"}', r2=b'{"name": "Eve"}')
    as_it_is = dict(api.records)
    api.answers["PUT"] = status
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.skipped) == (RestoreStatus.CONFLICT, 2)
    assert str(status) in report.items[0].why
    assert api.records == as_it_is


def test_a_server_that_fails_midway_can_be_asked_again(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path)
    acted(system, api, r1=b'{"name": "Eve"}', r2=None)
    api.answers["PUT"] = 500
    with pytest.raises(SystemUnavailableError, match="500 to PUT"):
        system.restore("snap", as_snapshot="replaced", mode=ALL)
    del api.answers["PUT"]
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.RESTORED, 2)


@pytest.mark.parametrize("status", [302, 401, 403, 500])
def test_what_cannot_be_read_is_not_taken_for_absent(api: RestApi, tmp_path: Path, status: int) -> None:
    system = opened(api, tmp_path)
    api.answers["GET"] = status
    with pytest.raises(SystemUnavailableError):
        system.save(request(record_ids=[1]), ["users"], snapshot_id="snap")
    with pytest.raises(NotFoundError):
        system.verify("snap")


def test_ids_add_no_part_to_an_address(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path, paths={"users": "/v1/{id}/profile"})
    system.save(request(record_ids=["../admin", "a?b=c#d", "ü/%2e"]), ["users"], snapshot_id="snap")
    assert sorted(path for path, _, _ in api.sent("GET")) == [
        "/v1/%C3%BC%2F%252e/profile",
        "/v1/..%2Fadmin/profile",
        "/v1/a%3Fb%3Dc%23d/profile",
    ]


def test_an_api_set_to_no_undo_is_not_saved(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path, undo="none")
    radius = system.measure(request(record_ids=[1]), ["users"]).radius
    assert (radius.count, radius.reversibility) == (1, Reversibility.NONE)
    with pytest.raises(RecoveryError, match="undo: none"):
        system.save(request(record_ids=[1]), ["users"], snapshot_id="snap")


def test_more_records_than_the_limit_are_not_saved(api: RestApi, tmp_path: Path) -> None:
    system = opened(api, tmp_path, most_records=2)
    with pytest.raises(RecoveryError, match="most_records"):
        system.save(request(record_ids=[1, 2, 3]), ["users"], snapshot_id="snap")


def test_webhooks_and_fields_of_the_server_are_said_not_to_return(api: RestApi, tmp_path: Path) -> None:
    told = " ".join(opened(api, tmp_path).measure(request(record_ids=[1]), ["users"]).radius.irreversible)
    assert "webhooks" in told
    assert "server sets" in told


def test_the_environment_comes_from_the_configuration_then_from_the_server(
    api: RestApi, tmp_path: Path
) -> None:
    assert opened(api, tmp_path).info().environment is Environment.UNKNOWN
    api.headers["Clearance-Environment"] = "sandbox"
    assert opened(api, tmp_path).info().environment is Environment.SANDBOX
    named = opened(api, tmp_path, environments={f"http:{api.url}": "production"})
    assert named.info().environment is Environment.PRODUCTION


def test_headers_come_from_the_environment_and_are_never_told(
    api: RestApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", "Bearer hush")
    system = opened(api, tmp_path, headers_env={"Authorization": "CRM_TOKEN"})
    acted(system, api, r1=b"{}")
    assert {headers["authorization"] for _, _, headers, _ in api.seen} == {"Bearer hush"}
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hush" not in kept
    monkeypatch.delenv("CRM_TOKEN")
    with pytest.raises(ConfigurationError, match="CRM_TOKEN"):
        opened(api, tmp_path, headers_env={"Authorization": "CRM_TOKEN"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://host"},
        {"base_url": "https://user:hush@host"},
        {"base_url": "https://host/?key=hush"},
        {"base_url": "https://"},
        {"paths": {"users": "users/{id}"}},
        {"paths": {"users": "/{id}/{id}"}},
        {"paths": {"users": "/../{id}"}},
        {"paths": {"users": "/users?id={id}"}},
        {"count_paths": {"users": "/users"}},
        {"count_paths": {"users": "DELETE /users"}},
        {"timeout_seconds": 0},
        {"undo": "maybe"},
        {"private_addresses": "yes"},
        {"unknown": 1},
    ],
)
def test_options_that_do_not_fit_are_refused(api: RestApi, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="system `crm`") as told:
        opened(api, tmp_path, **wrong)
    assert "hush" not in str(told.value)
