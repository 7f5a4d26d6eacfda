"""One small driver a kind of system: a world of its own, an action that changes it, somebody who meddles.

To join the shared suite, a kind adds its factory to `DRIVERS`: given a fresh directory, it yields a driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from clearance.adapters.systems.http import HttpApi
from clearance.adapters.systems.http import open_system as http_system
from clearance.adapters.systems.memory import MemorySystem, open_system
from clearance.adapters.systems.object_store import ObjectStore
from clearance.adapters.systems.object_store import open_system as s3_system
from clearance.core.model import Action, Context, Operation, Principal, Request, Resource
from clearance.ports import System
from tests.servers.rest import RestApi

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
# What botocore knows of S3 is read once, as in a program that has one session, and not for every bucket.
botocore.session.create_loader = cache(botocore.session.create_loader)


class Driver(Protocol):
    """`names` and `arguments` are what the request touches; `touched` counts what is in there at first."""

    system: System
    names: tuple[str, ...]
    arguments: dict[str, Any]
    touched: int

    def change(self) -> None:
        """The action: overwrite one thing that is touched, delete one, and create one where the kind can."""

    def meddle(self) -> str:
        """Somebody else changes, since, one thing that the action changed; its key in a report."""

    def dump(self) -> object:
        """The whole world, so that two dumps are equal only if everything is."""

    def damage(self, snapshot_id: str) -> None:
        """Spoil one image of a snapshot, wherever it is kept."""


Factory = Callable[[Path], AbstractContextManager[Driver]]


def request(
    operation: Operation = Operation.UPDATE, *, tool: str = "tool", action_id: str = "a-1", **arguments: Any
) -> Request:
    """A request with these arguments; what it names of a system is passed beside it."""
    return Request(
        principal=Principal(agent="tester"),
        action=Action(tool=tool, operation=operation, arguments=arguments),
        resources=(Resource(kind="tool", name=tool),),
        context=Context(run_id="run-1", action_id=action_id, at=NOON),
    )


def spoil(path: Path) -> None:
    """Flip the last byte of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


class MemoryDriver:
    """Three rows, of which the request names two and one that is still to come."""

    def __init__(self, directory: Path) -> None:
        rows = {
            "1": {"name": "Ada", "tags": ["a", None]},
            "2": {"name": "Grüße"},
            "9": {"name": "not touched"},
        }
        self.images = directory / "images"
        opened = open_system("crm", {"tables": {"users": rows}}, images=self.images)
        self.system: MemorySystem = opened
        self.names: tuple[str, ...] = ("users",)
        self.arguments: dict[str, Any] = {"record_ids": ["1", 2, "3"]}
        self.touched = 2

    def change(self) -> None:
        users = self.system.tables["users"]
        users["1"] = {"name": "Eve"}
        del users["2"]
        users["3"] = {"name": "new"}

    def meddle(self) -> str:
        self.system.tables["users"]["1"] = {"name": "Mallory"}
        return "1"

    def dump(self) -> object:
        return {table: dict(rows) for table, rows in self.system.tables.items()}

    def damage(self, snapshot_id: str) -> None:
        blobs = [path for path in (self.images / snapshot_id).iterdir() if len(path.name) == 64]
        spoil(sorted(blobs)[0])


class BucketDriver:
    """A bucket of moto, with the condition on a copy's target that S3 checks and moto leaves out."""

    def __init__(self, directory: Path, *, versioned: bool) -> None:
        self.s3: Any = boto3.client("s3", region_name="eu-west-1")
        self.s3.create_bucket(
            Bucket="crm",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            ObjectOwnership="BucketOwnerEnforced",
        )
        if versioned:
            self.s3.put_bucket_versioning(Bucket="crm", VersioningConfiguration={"Status": "Enabled"})
        plain = {"Bucket": "crm", "ContentType": "text/plain"}
        self.s3.put_object(**plain, Key="r/1", Body=b"Ada", Metadata={"owner": "a"}, Tagging="kind=x&b=%20y")
        self.s3.put_object(**plain, Key="r/2", Body=b"Gr\xc3\xbc\xc3\x9fe", CacheControl="no-store")
        self.s3.put_object(**plain, Key="r2/9", Body=b"not touched")
        options = {"bucket": "crm", "region": "eu-west-1"}
        self.system: ObjectStore = s3_system("crm", options, images=directory / "images")
        conditional_copies(self.system, self.s3)
        self.names: tuple[str, ...] = ("r",)
        self.arguments: dict[str, Any] = {}
        self.touched = 2

    def change(self) -> None:
        self.s3.put_object(Bucket="crm", Key="r/1", Body=b"Eve")
        self.s3.delete_object(Bucket="crm", Key="r/2")
        self.s3.put_object(Bucket="crm", Key="r/3", Body=b"new")

    def meddle(self) -> str:
        self.s3.put_object(Bucket="crm", Key="r/1", Body=b"Mallory")
        return "r/1"

    def dump(self) -> object:
        found = {}
        for entry in self.s3.list_objects_v2(Bucket="crm").get("Contents", []):
            key = entry["Key"]
            if key.startswith(".clearance/"):
                continue
            got = self.s3.get_object(Bucket="crm", Key=key)
            tags = self.s3.get_object_tagging(Bucket="crm", Key=key)["TagSet"]
            headers = [got.get(name) for name in ("ContentType", "CacheControl", "Metadata")]
            found[key] = (got["Body"].read(), headers, sorted((tag["Key"], tag["Value"]) for tag in tags))
        return found

    def damage(self, snapshot_id: str) -> None:
        copies = self.s3.list_objects_v2(Bucket="crm", Prefix=f".clearance/crm/{snapshot_id}/")
        if copies.get("Contents"):
            self.s3.put_object(Bucket="crm", Key=copies["Contents"][0]["Key"], Body=b"spoiled")
            return
        versions = self.s3.list_object_versions(Bucket="crm", Prefix="r/2")["Versions"]
        self.s3.delete_object(Bucket="crm", Key="r/2", VersionId=versions[-1]["VersionId"])


def conditional_copies(system: ObjectStore, s3: Any) -> None:
    """Check If-Match and If-None-Match of CopyObject against the target, as S3 does since 2025."""

    def check(params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]] | None:
        headers, target = params["headers"], params["context"]["input_params"]
        key = target["Key"]
        listed = s3.list_objects_v2(Bucket=target["Bucket"], Prefix=key)
        etag = next((entry["ETag"] for entry in listed.get("Contents", []) if entry["Key"] == key), None)
        wanted, forbidden = headers.get("If-Match"), headers.get("If-None-Match")
        if (wanted and wanted != etag) or (forbidden == "*" and etag):
            error = {"Code": "PreconditionFailed", "Message": "At least one of the conditions failed"}
            return AWSResponse("", 412, {}, None), {"Error": error, "ResponseMetadata": {}}
        return None

    system.client.meta.events.register("before-call.s3.CopyObject", check)


@contextmanager
def memory(directory: Path) -> Iterator[Driver]:
    yield MemoryDriver(directory)


@contextmanager
def moto_account() -> Iterator[None]:
    """An account that exists only in memory, and credentials that are none."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_PROFILE", raising=False)
        yield


@contextmanager
def bucket(directory: Path) -> Iterator[Driver]:
    with moto_account():
        yield BucketDriver(directory, versioned=False)


@contextmanager
def versioned_bucket(directory: Path) -> Iterator[Driver]:
    with moto_account():
        yield BucketDriver(directory, versioned=True)


class ApiDriver:
    """A real HTTP server with three records, of which the request names two and one that is still to come."""

    def __init__(self, directory: Path, api: RestApi) -> None:
        self.api = api
        self.images = directory / "images"
        options = {"base_url": api.url, "private_addresses": "allow"}
        self.system: HttpApi = http_system("crm", options, images=self.images)
        api.records = {
            "/users/1": b'{"name": "Ada", "score": 1.10}',
            "/users/2": '{"name": "Gr\u00fc\u00dfe"}'.encode(),
            "/users/9": b"{}",
        }
        self.names: tuple[str, ...] = ("users",)
        self.arguments: dict[str, Any] = {"record_ids": [1, 2, 3]}
        self.touched = 2

    def change(self) -> None:
        self.api.records["/users/1"] = b'{"name": "Eve"}'
        del self.api.records["/users/2"]
        self.api.records["/users/3"] = b'{"name": "new"}'

    def meddle(self) -> str:
        self.api.records["/users/1"] = b'{"name": "Mallory"}'
        return "1"

    def dump(self) -> object:
        return dict(self.api.records)

    def damage(self, snapshot_id: str) -> None:
        blobs = [path for path in (self.images / snapshot_id).iterdir() if len(path.name) == 64]
        spoil(sorted(blobs)[0])


@contextmanager
def api(directory: Path) -> Iterator[Driver]:
    with RestApi() as server:
        yield ApiDriver(directory, server)


DRIVERS: dict[str, Factory] = {
    "http": api,
    "memory": memory,
    "s3": bucket,
    "s3-versioned": versioned_bucket,
}
