"""The options of one bucket, and the client that reaches it. Credentials come from boto3's own chain only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from msgspec import Struct

from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem


class S3Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`prefix` bounds everything that is counted and saved. Without `copy_bucket`, copies stay in the bucket.

    `most_objects` and `most_bytes` bound one snapshot; above `most_objects` a listing counts as unknown.
    """

    bucket: str
    prefix: str = ""
    region: str = ""
    endpoint_url: str = ""
    profile: str = ""
    environments: dict[str, Environment] = {}
    most_objects: int = 50_000  # 50 requests to list; an object costs 2 more to save
    most_bytes: int = 100 * 1024**3  # what is copied is stored twice
    copy_bucket: str = ""


def read_options(name: str, options: Mapping[str, Any]) -> S3Options:
    """Raises ConfigurationError with every problem."""
    try:
        read = msgspec.convert(dict(options), S3Options)
    except msgspec.ValidationError as error:
        raise ConfigurationError([Problem("wrong_value", f"system `{name}`: {error}")]) from None
    problems = []
    if not read.bucket:
        problems.append("`bucket` is empty: name the bucket")
    if read.prefix and not read.prefix.endswith("/"):
        problems.append("`prefix` has to end in `/`, so that it does not match names that only begin alike")
    if read.most_objects < 1 or read.most_bytes < 1:
        problems.append("`most_objects` and `most_bytes` have to be above 0")
    if read.endpoint_url and "@" in read.endpoint_url:
        problems.append("`endpoint_url` holds credentials: leave them to boto3 (environment, profile, role)")
    if problems:
        raise ConfigurationError([Problem("wrong_value", f"system `{name}`: {each}") for each in problems])
    return read


def clients(name: str, options: S3Options) -> tuple[Any, Any]:
    """Clients of S3 and of STS. Raises ConfigurationError for a profile or a region that does not exist."""
    config = Config(
        connect_timeout=5,
        read_timeout=60,  # a server-side copy of 5 GB answers when it is done
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=16,
    )
    try:
        session = boto3.Session(profile_name=options.profile or None, region_name=options.region or None)
        s3 = session.client("s3", endpoint_url=options.endpoint_url or None, config=config)
        region = s3.meta.region_name if s3.meta.region_name != "aws-global" else "us-east-1"
        return s3, session.client("sts", region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        problem = f"system `{name}`: no client can be made of these options ({type(error).__name__})"
        raise ConfigurationError([Problem("wrong_value", problem)]) from None
