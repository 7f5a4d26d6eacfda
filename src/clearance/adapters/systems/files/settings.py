"""The options of a files system, and which environment the machine itself claims to be. Opens no tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem

MARKER = Path("/etc/clearance/environment")
_LONGEST_MARKER = 64  # bytes; the longest word is `production`


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`exclude` are globs on paths below the root; `*` crosses no slash, `**` does."""

    root: str
    environments: dict[str, Literal["production", "staging", "sandbox"]] = {}
    most_bytes: int = 1 << 30
    most_files: int = 200_000
    exclude: tuple[str, ...] = ()
    rehearse: Literal["auto", "never"] = "auto"
    rehearse_seconds: float = 10.0


def read_options(name: str, options: Mapping[str, Any], *, images: Path) -> Options:
    """Raises ConfigurationError with everything that is wrong."""
    try:
        read = msgspec.convert(dict(options), Options)
    except msgspec.ValidationError as error:
        raise ConfigurationError([_problem(name, str(error))]) from None
    found = [_problem(name, text) for text in _wrong(read, images)]
    if found:
        raise ConfigurationError(found)
    return read


def _wrong(options: Options, images: Path) -> list[str]:
    wrong = []
    root = Path(options.root)
    if not root.is_absolute():
        wrong.append("`root` must be an absolute path")
    elif images.resolve().is_relative_to(root.resolve()):
        wrong.append(
            "snapshots would lie inside `root`, where an agent could change them; move one of the two"
        )
    if options.most_bytes < 1 or options.most_files < 1 or options.rehearse_seconds <= 0:
        wrong.append("`most_bytes`, `most_files` and `rehearse_seconds` must be above 0")
    return wrong


def environment_of(options: Options, fingerprint: str, *, marker: Path = MARKER) -> Environment:
    """The option decides; then the machine's marker; otherwise UNKNOWN."""
    if fingerprint in options.environments:
        return Environment(options.environments[fingerprint])
    return _marked(marker)


def _marked(marker: Path) -> Environment:
    """A marker counts only where nobody but root could have written it, and never from inside a tree."""
    try:
        above = os.lstat(marker.parent)
        handle = os.open(marker, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Environment.UNKNOWN
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or not (_roots_alone(about) and _roots_alone(above)):
            return Environment.UNKNOWN
        return Environment(os.read(handle, _LONGEST_MARKER).decode("ascii").strip())
    except (OSError, ValueError):
        return Environment.UNKNOWN
    finally:
        os.close(handle)


def _roots_alone(about: os.stat_result) -> bool:
    return about.st_uid == 0 and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _problem(name: str, message: str) -> Problem:
    return Problem("wrong_value", f"system `{name}`: {message}")
