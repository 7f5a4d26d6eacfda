"""One object of a bucket: how it stands, its image inside the store, and putting it back under conditions.

Object data never leaves the store: an image is an old version, or a copy that the store itself makes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from clearance.adapters.systems.keyed import Images, Landed, RefusedError, Scope, Spot, State
from clearance.adapters.systems.object_store.calls import CHANGED, MISSING, AnswerError, call
from clearance.adapters.systems.object_store.facts import Facts, read_facts, read_fingerprint
from clearance.adapters.systems.object_store.options import S3Options
from clearance.core.model import ItemState
from clearance.errors import RecoveryError

MOST_COPY_BYTES: Final = 5 * 1024**3  # CopyObject's own limit; larger needs a multipart copy
_ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_FACTS_SECONDS: Final = 30  # settings of a bucket change by hand
_HEADERS: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
_UNABLE: Final = frozenset({"NotImplemented", "501", "ObjectNotInActiveTierError", "InvalidObjectState"})


class TooManyError(Exception):
    """A listing went over the limit of the options."""


class S3Things:
    """A snapshot's directory holds only its list; an image is `version:<id>` or `copy:<ETag of the copy>`."""

    at_once = 8
    makes_anew = False

    def __init__(self, name: str, s3: Any, sts: Any, options: S3Options) -> None:
        self._s3 = s3
        self._sts = sts
        self._options = options
        self.copies = f"{options.prefix}.clearance/{name}/"
        self._copy_bucket = options.copy_bucket or options.bucket
        self._facts: tuple[float, Facts] | None = None

    def fingerprint(self) -> str:
        return read_fingerprint(self._s3, self._sts, self._options)

    def facts(self) -> Facts:
        now = time.monotonic()
        if self._facts is None or now - self._facts[0] > _FACTS_SECONDS:
            self._facts = (now, read_facts(self._s3, self._options, copies=self.copies))
        return self._facts[1]

    def find(self, scope: Scope) -> Sequence[str]:
        if scope.keys is not None:
            return scope.keys
        try:
            return [entry["Key"] for entry in self.listed(scope.resource)]
        except TooManyError:
            most = self._options.most_objects
            raise RecoveryError(
                f"`{scope.resource}` holds more than {most} objects: narrow the call, or raise `most_objects`"
            ) from None

    def listed(self, resource: str) -> Iterator[dict[str, Any]]:
        """The objects of a resource, by key. Raises TooManyError after `most_objects`."""
        raw = resource.removesuffix("*")
        exact = raw == resource and resource != "" and not resource.endswith("/")
        count = 0
        for entry in self._pages("list_objects_v2", "Contents", self._options.bucket, raw):
            key = entry["Key"]
            if key.startswith(self.copies) or (exact and key != raw and not key.startswith(f"{raw}/")):
                continue
            count += 1
            if count > self._options.most_objects:
                raise TooManyError
            yield entry

    def look(self, spot: Spot) -> State:
        head = self._head(self._options.bucket, spot.key)
        if head is None:
            return self._absent(spot.key)
        archived = head.get("StorageClass") in _ARCHIVED  # which is never saved, and may refuse the question
        tags = {} if archived else self._tags(spot.key, head.get("VersionId"))
        etag = head["ETag"]
        kept = {name: str(head[name]) for name in _HEADERS if head.get(name)}
        body = {"size": head["ContentLength"], "headers": kept, "metadata": head.get("Metadata", {})}
        details = {
            "version": head.get("VersionId", "null"),
            "body": _digest(body),
            "tags": urlencode(sorted(tags.items())),
            "class": head.get("StorageClass", "STANDARD"),
            "archive": head.get("ArchiveStatus", ""),
            "encryption": head.get("ServerSideEncryption", ""),
            "kms": head.get("SSEKMSKeyId", ""),
        }
        digest = _digest([etag, details["body"], details["tags"]])
        return State(digest=digest, tag=etag, bytes=head["ContentLength"], details=details)

    def keep(self, spot: Spot, *, images: Images) -> State:
        """An old version where it is sure to stay; else a copy, made only of what was looked at."""
        state = self.look(spot)
        if not state.exists:
            return state
        if state.bytes > MOST_COPY_BYTES:
            raise RecoveryError("an object is larger than 5 GB, which cannot be copied back: it is not saved")
        if state.details["class"] in _ARCHIVED or state.details["archive"]:
            raise RecoveryError("an object is archived, which cannot be copied back: it is not saved")
        if self.facts().keeps_versions and state.details["version"] != "null":
            return msgspec.structs.replace(state, image=f"version:{state.details['version']}")
        source = {"Bucket": self._options.bucket, "Key": spot.key}
        where = {"Bucket": self._copy_bucket, "Key": self._copy_key(spot, images)}
        try:
            made = self._copy(source, state.tag, where, state)
        except AnswerError:
            raise RecoveryError("an object changed while it was saved: nothing was kept, try again") from None
        return msgspec.structs.replace(state, image=f"copy:{made}")

    def intact(self, spot: Spot, state: State, *, images: Images) -> bool:
        """The store vouches for its bytes; that the image is the one that was made is its ETag and size."""
        source, etag = self._source(spot, state, images)
        head = self._head(source["Bucket"], source["Key"], version=source.get("VersionId", ""))
        return head is not None and head["ETag"] == etag and head["ContentLength"] == state.bytes

    def put(self, spot: Spot, want: State, *, now: State, images: Images) -> Landed:
        try:
            self._write(spot, want, now, images)
        except AnswerError as answer:
            if answer.code in _UNABLE:
                why = f"the store cannot write it back under a condition ({answer.code})"
                raise RefusedError(why, state=ItemState.SKIPPED) from None
            landed = self.look(spot)  # a repeated request may have met its own first success
            if landed.digest != want.digest:
                raise RefusedError("it was changed while it was put back") from None
            return Landed(spot=spot, state=landed)
        landed = self.look(spot)
        same = landed.exists == want.exists and all(
            landed.details.get(part) == want.details.get(part) for part in ("body", "tags") if want.exists
        )
        differs = "" if same else "it was changed again right after it was put back"
        return Landed(spot=spot, state=landed, differs=differs)

    def drop(self, snapshot_id: str) -> None:
        """Every version of every copy."""
        prefix = f"{self.copies}{snapshot_id}/"
        for part in ("Versions", "DeleteMarkers"):
            for entry in self._pages("list_object_versions", part, self._copy_bucket, prefix):
                one = {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                call(self._s3.delete_object, Bucket=self._copy_bucket, **one)

    def _write(self, spot: Spot, want: State, now: State, images: Images) -> None:
        """Raises AnswerError where a condition fails or the store cannot."""
        where = {"Bucket": self._options.bucket, "Key": spot.key}
        judge = CHANGED | MISSING | _UNABLE
        if not want.exists:
            call(self._s3.delete_object, judge=judge, IfMatch=now.tag, **where)
        elif not now.exists and want.image == f"version:{now.details.get('below')}":
            marker = now.details["marker"]  # if somebody wrote on top of it by now, nothing shows through
            call(self._s3.delete_object, judge=judge, VersionId=marker, **where)
        elif now.exists and (now.tag, now.details["body"]) == (want.tag, want.details["body"]):
            tags = [{"Key": key, "Value": value} for key, value in _read_tags(want.details["tags"])]
            version = {} if now.details["version"] == "null" else {"VersionId": now.details["version"]}
            call(self._s3.put_object_tagging, judge=judge, Tagging={"TagSet": tags}, **where, **version)
        else:
            source, etag = self._source(spot, want, images)
            condition = {"IfMatch": now.tag} if now.exists else {"IfNoneMatch": "*"}
            self._copy(source, etag, where, want, **condition)

    def _copy(
        self, source: dict[str, str], etag: str, where: dict[str, str], state: State, **condition: str
    ) -> str:
        """Let the store copy what still has this ETag; the copy's ETag. Raises AnswerError."""
        extra = {"StorageClass": state.details["class"], "TaggingDirective": "REPLACE"}
        extra["Tagging"] = state.details["tags"]
        if state.details["encryption"]:
            extra["ServerSideEncryption"] = state.details["encryption"]
        if state.details["kms"]:
            extra["SSEKMSKeyId"] = state.details["kms"]
        judge = CHANGED | MISSING | _UNABLE
        copy = {"CopySource": source, "CopySourceIfMatch": etag, **where, **extra, **condition}
        answer = call(self._s3.copy_object, judge=judge, **copy)
        return str(answer["CopyObjectResult"]["ETag"])

    def _source(self, spot: Spot, state: State, images: Images) -> tuple[dict[str, str], str]:
        """Where an image is, and its ETag."""
        kind, _, mark = state.image.partition(":")
        if kind == "version":
            return {"Bucket": self._options.bucket, "Key": spot.key, "VersionId": mark}, state.tag
        return {"Bucket": self._copy_bucket, "Key": self._copy_key(spot, images)}, mark

    def _copy_key(self, spot: Spot, images: Images) -> str:
        return f"{self.copies}{images.snapshot_id}/{hashlib.sha256(spot.key.encode()).hexdigest()}"

    def _absent(self, key: str) -> State:
        """With the delete marker that hides the object and the version right below it, if there are any."""
        if not self.facts().versioning:
            return State()
        answer = call(self._s3.list_object_versions, Bucket=self._options.bucket, Prefix=key, MaxKeys=2)
        marker = next((m for m in answer.get("DeleteMarkers", []) if m["Key"] == key and m["IsLatest"]), None)
        below = next((v for v in answer.get("Versions", []) if v["Key"] == key), None)
        if marker is None or below is None or below["IsLatest"]:
            return State()
        return State(details={"marker": marker["VersionId"], "below": below["VersionId"]})

    def _head(self, bucket: str, key: str, *, version: str = "") -> dict[str, Any] | None:
        which = {"VersionId": version} if version else {}
        try:
            head: dict[str, Any] = call(self._s3.head_object, judge=MISSING, Bucket=bucket, Key=key, **which)
        except AnswerError:
            return None
        return head

    def _tags(self, key: str, version: str | None) -> dict[str, str]:
        which = {"VersionId": version} if version and version != "null" else {}
        try:
            answer = call(
                self._s3.get_object_tagging, judge=MISSING, Bucket=self._options.bucket, Key=key, **which
            )
        except AnswerError:
            return {}
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def _pages(self, operation: str, part: str, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = iter(self._s3.get_paginator(operation).paginate(Bucket=bucket, Prefix=prefix))
        while (page := call(lambda: next(pages, None))) is not None:
            yield from page.get(part, [])


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def _read_tags(encoded: str) -> list[tuple[str, str]]:
    return parse_qsl(encoded, keep_blank_values=True)
