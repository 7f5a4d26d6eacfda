"""The options of one REST API. Secrets are named by environment variables, read when it is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem

ID = "{id}"


class PrivateAddresses(StrEnum):
    """Whether the API may answer from an address that is not of the public internet."""

    ALLOW = "allow"
    REFUSE = "refuse"


class Undo(StrEnum):
    """How a deleted record is made again. PUT: at its own address. POST: at a new one. NONE: never."""

    PUT = "put"
    POST = "post"
    NONE = "none"


class HttpOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`paths` maps a name to its address below `base_url`, `{id}` standing for one record id.

    A name without an entry is `/name/{id}`. `count_paths` maps a name to `GET /path` or `POST /path`, which
    answers how many records a condition matches. `ignore_fields` are set by the server, and not compared.
    """

    base_url: str
    headers_env: dict[str, str] = {}
    environments: dict[str, Environment] = {}
    paths: dict[str, str] = {}
    count_paths: dict[str, str] = {}
    timeout_seconds: float = 10
    private_addresses: PrivateAddresses = PrivateAddresses.REFUSE
    undo: Undo = Undo.PUT
    ignore_fields: tuple[str, ...] = ()
    most_bytes: int = 10 * 1024**2  # of one record
    most_records: int = 1000  # of one snapshot; each costs a request


def read_options(name: str, options: Mapping[str, Any]) -> HttpOptions:
    """Raises ConfigurationError with every problem."""
    try:
        read = msgspec.convert(dict(options), HttpOptions)
    except msgspec.ValidationError as error:
        raise ConfigurationError([Problem("wrong_value", f"system `{name}`: {error}")]) from None
    if problems := [*_address(read), *_paths(read), *_limits(read)]:
        raise ConfigurationError([Problem("wrong_value", f"system `{name}`: {each}") for each in problems])
    return read


def read_headers(name: str, options: HttpOptions) -> dict[str, str]:
    """The headers with their secrets. Raises ConfigurationError for a variable that is not set."""
    unset = [variable for variable in options.headers_env.values() if not os.environ.get(variable)]
    if unset:
        problems = [f"system `{name}`: the environment variable {each} is not set" for each in unset]
        raise ConfigurationError([Problem("wrong_value", each) for each in problems])
    return {header: os.environ[variable] for header, variable in options.headers_env.items()}


def _address(read: HttpOptions) -> list[str]:
    parts = urlsplit(read.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ["`base_url` has to begin with https:// or http:// and name a host"]
    if parts.username or parts.password or parts.query or parts.fragment:
        return ["`base_url` holds more than an address: put credentials into `headers_env`"]
    return []


def _paths(read: HttpOptions) -> list[str]:
    wrong = [path for path in read.paths.values() if not path.startswith("/") or path.count(ID) > 1]
    found = [f"path `{path}` has to begin with `/` and hold `{ID}` at most once" for path in wrong]
    for path in read.count_paths.values():
        method, _, rest = path.partition(" ")
        if method not in ("GET", "POST") or not rest.startswith("/"):
            found.append(f"count path `{path}` has to be `GET /path` or `POST /path`")
    for path in (*read.paths.values(), *read.count_paths.values()):
        if any(part in (".", "..") for part in path.split("/")) or set(path) & set("?#\\"):
            found.append(f"path `{path}` has to be a plain path, without `..`, `?` and `#`")
    return found


def _limits(read: HttpOptions) -> list[str]:
    positive = read.timeout_seconds > 0 and read.most_bytes > 0 and read.most_records > 0
    return [] if positive else ["`timeout_seconds`, `most_bytes` and `most_records` have to be above 0"]
