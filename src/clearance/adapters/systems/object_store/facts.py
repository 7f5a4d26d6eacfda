"""What a bucket is set to, as far as an undo depends on it: versions, their expiry, ACLs, its environment."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from clearance.adapters.systems.keyed import Promise
from clearance.adapters.systems.object_store.calls import AnswerError, call
from clearance.adapters.systems.object_store.options import S3Options
from clearance.core.model import Environment, Reversibility

MARKER: Final = "clearance:environment"  # a tag of the bucket
_DENIED: Final = frozenset({"AccessDenied", "403", "NotImplemented", "MethodNotAllowed"})
_NO_RULES: Final = frozenset({"NoSuchLifecycleConfiguration"})
_NO_CONTROLS: Final = frozenset({"OwnershipControlsNotFoundError"})
_NO_TAGS: Final = frozenset({"NoSuchTagSet"})
_UNREAD: Final = {"ID": "unread", "Status": "Enabled", "NoncurrentVersionExpiration": {}, "Expiration": {}}


class Facts(Struct, frozen=True, kw_only=True):
    """`versioning` is Enabled, Suspended or empty. The sentences say what stands in the way of an undo."""

    versioning: str
    versions_expire: str = ""
    copies_expire: str = ""
    acls: bool = True

    @property
    def keeps_versions(self) -> bool:
        """Whether an old version can be relied on. A version that a rule may remove is copied instead."""
        return not self.versions_expire

    def promise(self) -> Promise:
        """Exact only where every old version stays and no ACL can be lost."""
        versions = self.versioning == "Enabled" and not self.versions_expire
        if self.copies_expire and not versions:
            reversibility = Reversibility.NONE
        else:
            reversibility = Reversibility.EXACT if versions and not self.acls else Reversibility.CONTENT
        return Promise(reversibility=reversibility, irreversible=self.irreversible())

    def irreversible(self) -> tuple[str, ...]:
        found = [
            "what is written back has a new time of modification, and maybe a new version id",
            "notifications, replication and readers in between saw the change, and see the undo too",
        ]
        if self.acls:
            found.append("ACLs of single objects are not put back")
        match self.versioning:
            case "Enabled":
                pass
            case "Suspended":
                found.append(
                    "versioning is suspended: an overwrite is final, only a copy taken before returns"
                )
            case _:
                found.append("the bucket keeps no versions: only a copy taken before returns")
        return (*found, *(each for each in (self.versions_expire, self.copies_expire) if each))


def read_facts(s3: Any, options: S3Options, *, copies: str) -> Facts:
    """Raises SystemUnavailableError. What may not be read counts as what would be worst."""
    versioning = call(s3.get_bucket_versioning, Bucket=options.bucket).get("Status", "")
    rules = _rules(s3, options.bucket)
    keeper_rules = rules if not options.copy_bucket else _rules(s3, options.copy_bucket)
    return Facts(
        versioning=versioning,
        versions_expire=_versions_expire(rules),
        copies_expire=_copies_expire(keeper_rules, copies),
        acls=_acls(s3, options.bucket),
    )


def read_fingerprint(s3: Any, sts: Any, options: S3Options) -> str:
    """`s3:<account or endpoint>:<region>:<bucket>`: which bucket answers, however it was reached."""
    answer = call(s3.head_bucket, Bucket=options.bucket)
    region = answer.get("BucketRegion") or options.region or s3.meta.region_name
    if options.endpoint_url:
        return f"s3:{urlsplit(options.endpoint_url).netloc}:{region}:{options.bucket}"
    return f"s3:{call(sts.get_caller_identity)['Account']}:{region}:{options.bucket}"


def read_environment(s3: Any, options: S3Options, fingerprint: str) -> Environment:
    """The configuration by fingerprint, then the bucket's own tag, then unknown."""
    if fingerprint in options.environments:
        return options.environments[fingerprint]
    try:
        tags = call(s3.get_bucket_tagging, judge=_NO_TAGS | _DENIED, Bucket=options.bucket)["TagSet"]
    except AnswerError:
        return Environment.UNKNOWN
    marks = {tag["Value"] for tag in tags if tag["Key"] == MARKER}
    return next((each for each in Environment if marks == {each.value}), Environment.UNKNOWN)


def _rules(s3: Any, bucket: str) -> list[dict[str, Any]]:
    try:
        answer = call(s3.get_bucket_lifecycle_configuration, judge=_NO_RULES | _DENIED, Bucket=bucket)
    except AnswerError as error:
        return [] if error.code in _NO_RULES else [_UNREAD]
    return [rule for rule in answer.get("Rules", []) if rule.get("Status") == "Enabled"]


def _versions_expire(rules: list[dict[str, Any]]) -> str:
    for rule in rules:
        if "NoncurrentVersionExpiration" in rule:
            days = rule["NoncurrentVersionExpiration"].get("NoncurrentDays")
            when = f"after {days} days" if days else "at a time that could not be read"
            return f"a lifecycle rule removes old versions {when}: they are copied before, not relied on"
    return ""


def _copies_expire(rules: list[dict[str, Any]], copies: str) -> str:
    for rule in rules:
        where = rule.get("Filter") or {}
        prefix = where.get("Prefix") or where.get("And", {}).get("Prefix") or rule.get("Prefix") or ""
        if "Expiration" in rule and (copies.startswith(prefix) or prefix.startswith(copies)):
            expiration = rule["Expiration"]
            if set(expiration) - {"ExpiredObjectDeleteMarker"} or not expiration:
                return f"a lifecycle rule may remove copies: exclude `{copies}` from it, or set `copy_bucket`"
    return ""


def _acls(s3: Any, bucket: str) -> bool:
    """Whether objects may have ACLs of their own."""
    try:
        answer = call(s3.get_bucket_ownership_controls, judge=_NO_CONTROLS | _DENIED, Bucket=bucket)
    except AnswerError:
        return True
    rules = answer.get("OwnershipControls", {}).get("Rules", [])
    return {rule.get("ObjectOwnership") for rule in rules} != {"BucketOwnerEnforced"}
