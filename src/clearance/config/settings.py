"""Settings from `clearance.yaml` and CLEARANCE_* variables; the environment wins. All problems together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from clearance.config.egress import EgressSettings, read_egress
from clearance.config.identity import IdentitySettings, read_identity
from clearance.config.mcp import McpSettings, read_mcp
from clearance.config.models import ModelSettings, read_models
from clearance.config.notices import NoticeReceiver
from clearance.core.policy import Document, parse_yaml
from clearance.errors import ConfigurationError, PolicyError, Problem

FILE = "clearance.yaml"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`store` is a directory, or `memory`. `policies` are files or directories of `*.yaml`.

    `systems` are the real ones that actions are counted on, by name: each has a `kind` and the options of its
    kind. `resources` maps the names that agents and policies use: `users.accounts: crm/public.accounts`.
    """

    store: str = ".clearance"
    policies: tuple[str, ...] = ()
    agent: str = ""
    url: str = ""
    api_key: str = ""
    run_id: str = ""  # a server's run that everything here belongs to; `clearance run` sets it
    timeout_seconds: float = 5.0
    host: str = "127.0.0.1"
    port: int = 8700
    report_timeout_seconds: float = 3600.0
    drain_seconds: float = 20.0  # how long what is under way may go on when the server is told to stop
    keep_days: int = 0  # 0: every journal file is kept
    systems: dict[str, dict[str, Any]] = {}
    resources: dict[str, str] = {}
    login: tuple[dict[str, Any], ...] = ()  # identity providers that people log in with: config/login.py
    identity: IdentitySettings = IdentitySettings()
    notices: tuple[NoticeReceiver, ...] = ()
    wait_for_approval_seconds: float = 0.0  # how long a held call waits before it raises
    models: ModelSettings = ModelSettings()
    mcp: McpSettings = McpSettings()
    egress: EgressSettings = EgressSettings()


# Whose problems are told one by one; each may also be given as what is read.
_READ_BY_THEMSELVES: tuple[tuple[str, type[Struct], Callable[..., tuple[Struct, list[Problem]]]], ...] = (
    ("identity", IdentitySettings, read_identity),
    ("models", ModelSettings, read_models),
    ("mcp", McpSettings, read_mcp),
    ("egress", EgressSettings, read_egress),
)
_ONLY_IN_FILE = frozenset({"systems", "resources", "login", "identity", "notices", "models", "mcp", "egress"})
_FROM_ENVIRONMENT = {
    f"CLEARANCE_{name.upper()}": name for name in Settings.__struct_fields__ if name not in _ONLY_IN_FILE
}


def load_settings(
    directory: Path | None = None, environment: Mapping[str, str] = os.environ, **given: Any
) -> Settings:
    """What was given wins over the environment, which wins over the file.

    Raises ConfigurationError with every problem of both sources.
    """
    path = (directory or Path()) / FILE
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    if path.exists():
        values.update(_read(path, problems))
    for variable, name in _FROM_ENVIRONMENT.items():
        if variable in environment:
            raw = environment[variable]
            values[name] = raw.split(os.pathsep) if name == "policies" else raw
    values.update({name: value for name, value in given.items() if value is not None})
    settings = Settings()
    for name, kind, read in _READ_BY_THEMSELVES:
        value = values.pop(name, None)
        found: list[Problem] = []
        if value is not None and not isinstance(value, kind):
            value, found = read(value, file=str(path))
        if value is not None:
            settings = msgspec.structs.replace(settings, **{name: value})
        problems += found
    for name, value in values.items():
        settings = _with(settings, name, value, str(path), problems)
    if problems:
        raise ConfigurationError(problems)
    return settings


def _read(path: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(Problem("unreadable", f"cannot be read ({type(error).__name__})", str(path)))
        return {}
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(Problem("wrong_type", "must be a mapping of settings", str(path)))
        return {}
    return {str(name): setting for name, setting in value.items()}


def _with(settings: Settings, name: str, value: Any, file: str, problems: list[Problem]) -> Settings:
    try:
        one = msgspec.convert({name: value}, Settings, strict=False)
    except msgspec.ValidationError:
        known = name in Settings.__struct_fields__
        message = f"`{name}` has a value of the wrong type" if known else f"`{name}` is not a setting"
        code = "wrong_type" if known else "unknown_key"
        problems.append(Problem(code, message, file, 0, "known: " + ", ".join(Settings.__struct_fields__)))
        return settings
    return msgspec.structs.replace(settings, **{name: getattr(one, name)})


def default_policies() -> dict[str, Any]:
    """The document a fresh store starts with."""
    text = resources.files("clearance.config").joinpath("default.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def read_policy_files(paths: Sequence[str]) -> list[Document]:
    """Every policy file of the given files and directories; `*.test.yaml` are tests, not policies.

    Raises PolicyError with the problems of all of them.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    for file in _policy_files(paths, problems):
        try:
            documents.append(parse_yaml(file.read_text(encoding="utf-8"), str(file)))
        except PolicyError as error:
            problems.extend(error.problems)
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem("unreadable", f"cannot be read ({type(error).__name__})", str(file)))
    if problems:
        raise PolicyError(problems)
    return documents


def _policy_files(paths: Sequence[str], problems: list[Problem]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (*path.rglob("*.yaml"), *path.rglob("*.yml"))
            found += sorted(file for file in inside if not file.stem.endswith(".test"))
        elif path.exists():
            found.append(path)
        else:
            problems.append(Problem("no_such_file", "there is no such file or directory", str(path)))
    return found
