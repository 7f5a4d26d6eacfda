"""A bucket counted, saved and put back: versions, copies, conditions, limits, what settings take away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from clearance.adapters.systems.object_store import ObjectStore, open_system, things
from clearance.core.model import (
    Environment,
    Exactness,
    ItemState,
    Operation,
    RestoreMode,
    RestoreStatus,
    Reversibility,
)
from clearance.errors import ConfigurationError, NotFoundError, RecoveryError, SystemUnavailableError
from tests.ports.system_drivers import conditional_copies, moto_account, request

pytestmark = pytest.mark.servers  # half a second each to make boto3 clients
ALL = RestoreMode.ALL
REGION = {"LocationConstraint": "eu-west-1"}


@pytest.fixture
def s3() -> Iterator[Any]:
    with moto_account():
        client: Any = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(
            Bucket="crm", CreateBucketConfiguration=REGION, ObjectOwnership="BucketOwnerEnforced"
        )
        yield client
        client.close()


def opened(s3: Any, images: Path, **options: Any) -> ObjectStore:
    system = open_system("reports", {"bucket": "crm", "region": "eu-west-1", **options}, images=images)
    conditional_copies(system, s3)
    return system


def fill(s3: Any, *keys: str, body: bytes = b"12345") -> None:
    for key in keys:
        s3.put_object(Bucket="crm", Key=key, Body=body)


def versions_on(s3: Any, status: str = "Enabled") -> None:
    s3.put_bucket_versioning(Bucket="crm", VersioningConfiguration={"Status": status})


def lifecycle(s3: Any, bucket: str = "crm", **rule: Any) -> None:
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def versions(s3: Any, key: str) -> list[str]:
    return [entry["VersionId"] for entry in s3.list_object_versions(Bucket="crm", Prefix=key)["Versions"]]


def body(s3: Any, key: str) -> bytes:
    found: bytes = s3.get_object(Bucket="crm", Key=key)["Body"].read()
    return found


def test_objects_and_bytes_are_counted_exactly(s3: Any, tmp_path: Path) -> None:
    fill(s3, *[f"r/{number}" for number in range(1203)], "r", "r-old/1", "s/1")
    system = opened(s3, tmp_path)
    [touch] = system.measure(request(Operation.DELETE), ["r"]).radius.touches
    assert (touch.count, touch.bytes, touch.exactness) == (1204, 6020, Exactness.EXACT)
    assert touch.sample == ("r", "r/0", "r/1", "r/10", "r/100")
    [raw] = system.measure(request(Operation.DELETE, prefix="r"), ["r"]).radius.touches
    assert raw.count == 1205


def test_a_deleted_key_counts_only_if_it_exists_and_a_written_one_always(s3: Any, tmp_path: Path) -> None:
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    for operation, count in ((Operation.DELETE, 1), (Operation.READ, 1), (Operation.UPDATE, 2)):
        [touch] = system.measure(request(operation, keys=["r/1", "r/2"]), ["r"]).radius.touches
        assert (touch.count, touch.bytes) == (count, 5)


def test_more_objects_than_the_limit_are_not_counted_and_not_saved(s3: Any, tmp_path: Path) -> None:
    fill(s3, "r/1", "r/2", "r/3")
    system = opened(s3, tmp_path, most_objects=2)
    radius = system.measure(request(Operation.DELETE), ["r"]).radius
    assert radius.count is None
    assert radius.touches[0].exactness is Exactness.UNKNOWN
    assert radius.reversibility is Reversibility.NONE
    assert radius.unknown
    with pytest.raises(RecoveryError, match="most_objects"):
        system.save(request(), ["r"], snapshot_id="snap")
    few = opened(s3, tmp_path, most_bytes=14)
    with pytest.raises(RecoveryError, match="most_bytes"):
        few.save(request(), ["r"], snapshot_id="snap")
    assert not s3.list_objects_v2(Bucket="crm", Prefix=".clearance/").get("Contents")


def test_a_condition_makes_the_count_a_bound_and_another_bucket_unknown(s3: Any, tmp_path: Path) -> None:
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    assert system.measure(request(filter="x"), ["r"]).radius.touches[0].exactness is Exactness.BOUND
    radius = system.measure(request(bucket="other", key="r/1"), ["r"]).radius
    assert (radius.count, radius.reversibility) == (None, Reversibility.NONE)
    with pytest.raises(RecoveryError, match="not known"):
        system.save(request(bucket="other", key="r/1"), ["r"], snapshot_id="snap")


@pytest.mark.parametrize("operation", [Operation.EXECUTE, Operation.ADMIN, Operation.UNKNOWN, Operation.DDL])
def test_a_verb_that_is_not_about_objects_is_not_called_reversible(
    s3: Any, tmp_path: Path, operation: Operation
) -> None:
    versions_on(s3)
    radius = opened(s3, tmp_path).measure(request(operation), ["r"]).radius
    assert radius.reversibility is Reversibility.NONE


def test_undoing_a_delete_removes_our_marker_and_the_very_version_shows_again(
    s3: Any, tmp_path: Path
) -> None:
    versions_on(s3)
    fill(s3, "r/1")
    [version] = versions(s3, "r/1")
    system = opened(s3, tmp_path)
    saved = system.save(request(), ["r"], snapshot_id="snap")
    assert saved.reversibility is Reversibility.EXACT
    s3.delete_object(Bucket="crm", Key="r/1")
    system.settle("snap")
    assert system.restore("snap", as_snapshot="replaced", mode=ALL).status is RestoreStatus.RESTORED
    found = s3.list_object_versions(Bucket="crm", Prefix="r/1")
    assert [entry["VersionId"] for entry in found["Versions"]] == [version]
    assert not found.get("DeleteMarkers")


def test_a_newer_write_over_our_marker_is_a_conflict_and_is_kept(s3: Any, tmp_path: Path) -> None:
    versions_on(s3)
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    system.save(request(), ["r"], snapshot_id="snap")
    s3.delete_object(Bucket="crm", Key="r/1")
    system.settle("snap")
    fill(s3, "r/1", body=b"newer")
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.conflicts) == (RestoreStatus.CONFLICT, 1)
    assert body(s3, "r/1") == b"newer"


@pytest.mark.parametrize("deleted", [True, False])
def test_a_write_in_the_last_instant_is_not_overwritten(s3: Any, tmp_path: Path, deleted: bool) -> None:
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    system.save(request(), ["r"], snapshot_id="snap")
    s3.delete_object(Bucket="crm", Key="r/1") if deleted else fill(s3, "r/1", body=b"action")
    system.settle("snap")

    def write(params: dict[str, Any], **_: object) -> None:
        if params["context"]["input_params"]["Key"] == "r/1":
            fill(s3, "r/1", body=b"newer")

    system.client.meta.events.register_first("before-call.s3.CopyObject", write)
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.CONFLICT
    assert body(s3, "r/1") == b"newer"


def test_a_created_object_that_was_overwritten_in_the_last_instant_is_not_deleted(
    s3: Any, tmp_path: Path
) -> None:
    system = opened(s3, tmp_path)
    system.save(request(), ["r"], snapshot_id="snap")
    fill(s3, "r/1")
    system.settle("snap")
    system.client.meta.events.register(
        "before-call.s3.DeleteObject", lambda **_: fill(s3, "r/1", body=b"newer")
    )
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.CONFLICT, 0)
    assert body(s3, "r/1") == b"newer"


def test_tags_and_metadata_alone_are_put_back(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="crm", Key="r/1", Body=b"x", Metadata={"a": "1"}, Tagging="t=1")
    s3.put_object(Bucket="crm", Key="r/2", Body=b"x", Metadata={"a": "1"}, Tagging="t=a%20b%2B&u=")
    system = opened(s3, tmp_path)
    system.save(request(), ["r"], snapshot_id="snap")
    s3.put_object_tagging(Bucket="crm", Key="r/2", Tagging={"TagSet": [{"Key": "t", "Value": "2"}]})
    s3.put_object(Bucket="crm", Key="r/1", Body=b"x", Metadata={"a": "2"}, Tagging="t=1")
    system.settle("snap")
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.RESTORED, 2)
    assert s3.head_object(Bucket="crm", Key="r/1")["Metadata"] == {"a": "1"}
    tags = s3.get_object_tagging(Bucket="crm", Key="r/2")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"t": "a b+", "u": ""}


def test_keys_with_odd_letters_are_saved_and_put_back(s3: Any, tmp_path: Path) -> None:
    odd = ["r/a b", "r/ü+?&=#", "r/%2F", "r/'\"<>", "r/..", "r//x"]
    fill(s3, *odd)
    system = opened(s3, tmp_path)
    assert system.save(request(), ["r"], snapshot_id="snap").count == len(odd)
    for key in odd:
        s3.delete_object(Bucket="crm", Key=key)
    system.settle("snap")
    assert system.restore("snap", as_snapshot="replaced", mode=ALL).restored == len(odd)
    assert sorted(
        entry["Key"] for entry in s3.list_objects_v2(Bucket="crm", Prefix="r/")["Contents"]
    ) == sorted(odd)


def test_copies_go_to_their_own_bucket_and_leave_it_when_forgotten(s3: Any, tmp_path: Path) -> None:
    s3.create_bucket(Bucket="copies", CreateBucketConfiguration=REGION)
    s3.put_bucket_versioning(Bucket="copies", VersioningConfiguration={"Status": "Enabled"})
    fill(s3, "r/1", "r/2")
    system = opened(s3, tmp_path, copy_bucket="copies")
    system.save(request(), ["r"], snapshot_id="snap")
    assert s3.list_objects_v2(Bucket="copies")["KeyCount"] == 2
    assert system.save(request(), ["r"], snapshot_id="another").count == 2
    system.forget("snap")
    left = s3.list_object_versions(Bucket="copies")
    assert all(entry["Key"].startswith(".clearance/reports/another/") for entry in left["Versions"])
    assert len(left["Versions"]) == 2
    assert not left.get("DeleteMarkers")


def test_snapshots_of_the_bucket_are_not_counted_and_not_saved_again(s3: Any, tmp_path: Path) -> None:
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    system.save(request(), [""], snapshot_id="one")
    assert system.save(request(), [""], snapshot_id="two").count == 1
    assert system.measure(request(Operation.DELETE), [""]).radius.count == 1


def test_a_version_that_a_rule_removes_is_copied_instead(s3: Any, tmp_path: Path) -> None:
    versions_on(s3)
    lifecycle(s3, NoncurrentVersionExpiration={"NoncurrentDays": 7})
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    saved = system.save(request(), ["r"], snapshot_id="snap")
    assert saved.reversibility is Reversibility.CONTENT
    assert any("after 7 days" in sentence for sentence in saved.irreversible)
    s3.delete_object(Bucket="crm", Key="r/1")
    system.settle("snap")
    for version in versions(s3, "r/1"):
        s3.delete_object(Bucket="crm", Key="r/1", VersionId=version)
    assert system.verify("snap") == saved
    report = system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.RESTORED
    assert body(s3, "r/1") == b"12345"


def test_a_suspended_bucket_is_saved_by_copies_and_says_so(s3: Any, tmp_path: Path) -> None:
    versions_on(s3, "Suspended")
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    saved = system.save(request(), ["r"], snapshot_id="snap")
    assert saved.reversibility is Reversibility.CONTENT
    assert any("suspended" in sentence for sentence in saved.irreversible)
    fill(s3, "r/1", body=b"final overwrite")
    system.settle("snap")
    assert system.restore("snap", as_snapshot="replaced", mode=ALL).status is RestoreStatus.RESTORED
    assert body(s3, "r/1") == b"12345"


def test_copies_that_a_rule_may_remove_make_nothing_reversible(s3: Any, tmp_path: Path) -> None:
    lifecycle(s3, Expiration={"Days": 30})
    radius = opened(s3, tmp_path / "a").measure(request(), ["r"]).radius
    assert radius.reversibility is Reversibility.NONE
    assert any("copy_bucket" in sentence for sentence in radius.irreversible)
    lifecycle(s3, Expiration={"Days": 30}, Filter={"Prefix": "logs/"})
    again = opened(s3, tmp_path / "b").measure(request(), ["r"]).radius
    assert again.reversibility is Reversibility.CONTENT


def test_object_acls_make_an_undo_less_than_exact(s3: Any, tmp_path: Path) -> None:
    versions_on(s3)
    s3.delete_bucket_ownership_controls(Bucket="crm")
    radius = opened(s3, tmp_path).measure(request(), ["r"]).radius
    assert radius.reversibility is Reversibility.CONTENT
    assert any("ACLs" in sentence for sentence in radius.irreversible)


def test_a_call_about_an_old_version_is_final_and_not_saved(s3: Any, tmp_path: Path) -> None:
    versions_on(s3)
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    final = request(Operation.DELETE, key="r/1", version_id=versions(s3, "r/1")[0])
    radius = system.measure(final, ["r"]).radius
    assert (radius.count, radius.reversibility) == (1, Reversibility.NONE)
    with pytest.raises(RecoveryError, match="final"):
        system.save(final, ["r"], snapshot_id="snap")


def test_what_is_too_large_or_archived_is_not_saved(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="crm", Key="cold/1", Body=b"x", StorageClass="GLACIER")
    fill(s3, "r/1")
    system = opened(s3, tmp_path)
    with pytest.raises(RecoveryError, match="archived"):
        system.save(request(), ["cold"], snapshot_id="snap")
    monkeypatch.setattr(things, "MOST_COPY_BYTES", 4)
    with pytest.raises(RecoveryError, match="5 GB"):
        system.save(request(), ["r"], snapshot_id="snap")
    with pytest.raises(NotFoundError):
        system.verify("snap")


def test_the_fingerprint_names_account_region_and_bucket_or_the_endpoint(s3: Any, tmp_path: Path) -> None:
    assert opened(s3, tmp_path).info().fingerprint == "s3:123456789012:eu-west-1:crm"
    elsewhere = opened(s3, tmp_path, endpoint_url="https://s3.eu-west-1.amazonaws.com")
    assert elsewhere.info().fingerprint == "s3:s3.eu-west-1.amazonaws.com:eu-west-1:crm"


def test_the_environment_comes_from_the_configuration_then_from_the_bucket(s3: Any, tmp_path: Path) -> None:
    assert opened(s3, tmp_path).info().environment is Environment.UNKNOWN
    tags = {"TagSet": [{"Key": "clearance:environment", "Value": "staging"}]}
    s3.put_bucket_tagging(Bucket="crm", Tagging=tags)
    assert opened(s3, tmp_path).info().environment is Environment.STAGING
    named = opened(s3, tmp_path, environments={"s3:123456789012:eu-west-1:crm": "production"})
    assert named.info().environment is Environment.PRODUCTION


def test_a_bucket_that_is_not_there_is_unavailable_and_no_credential_is_told(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHUSH")
    system = opened(s3, tmp_path, bucket="nowhere")
    for use in (
        system.info,
        lambda: system.measure(request(), ["r"]),
        lambda: system.save(request(), ["r"], snapshot_id="snap"),
    ):
        with pytest.raises(SystemUnavailableError) as told:
            use()
        assert "hush" not in str(told.value).lower()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bucket": ""},
        {"bucket": "crm", "prefx": "a"},
        {"bucket": "crm", "prefix": "no-slash"},
        {"bucket": "crm", "most_objects": 0},
        {"bucket": "crm", "profile": "nobody-has-this-one"},
        {"bucket": "crm", "endpoint_url": "https://user:hush@host"},
        {"bucket": "crm", "environments": {"x": "prod"}},
    ],
)
def test_options_that_do_not_fit_are_refused(s3: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="system `reports`") as told:
        open_system("reports", options, images=tmp_path)
    assert "hush" not in str(told.value)


def test_a_restore_cut_off_in_the_middle_goes_on(s3: Any, tmp_path: Path) -> None:
    keys = [f"r/{number}" for number in range(12)]
    fill(s3, *keys)
    system = opened(s3, tmp_path)
    system.save(request(), ["r"], snapshot_id="snap")
    for key in keys:
        s3.delete_object(Bucket="crm", Key=key)
    system.settle("snap")
    left = [5]

    def fail(params: dict[str, Any], **_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise EndpointConnectionError(endpoint_url="cut off")

    system.client.meta.events.register("before-call.s3.CopyObject", fail, "cut")
    with pytest.raises(SystemUnavailableError):
        system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert 0 < s3.list_objects_v2(Bucket="crm", Prefix="r/")["KeyCount"] < 12
    system.client.meta.events.unregister("before-call.s3.CopyObject", unique_id="cut")
    report = opened(s3, tmp_path).restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.RESTORED, 12)
    assert {item.state for item in report.items} == {ItemState.RESTORED}
    assert s3.list_objects_v2(Bucket="crm", Prefix="r/")["KeyCount"] == 12
