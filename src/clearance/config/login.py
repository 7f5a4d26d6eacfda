"""The `login:` section: identity providers that people log in with. Only in the file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from clearance.core.model import Role
from clearance.errors import ConfigurationError, Problem

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class LoginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. `roles` maps its groups to roles here; empty leaves roles to whoever invites.

    `default_role` is for whom no group gives one; without it they are refused.
    """

    provider: str
    issuer: str
    client_id: str
    redirect_uri: str
    client_secret_env: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    roles: dict[str, Role] = {}
    default_role: Role | None = None
    teams_claim: str = ""
    name_claim: str = "preferred_username"

    def secret(self, environment: Mapping[str, str] = os.environ) -> str:
        """The client's secret; empty for a public client. Raises ConfigurationError when it is not there."""
        if self.client_secret_env:
            found = environment.get(self.client_secret_env, "")
        elif self.client_secret_file:
            found = _text_of(self.client_secret_file)
        else:
            return ""
        if not found:
            where = self.client_secret_env or self.client_secret_file
            problem = Problem("no_secret", f"login `{self.provider}`: the client's secret is not in {where}")
            raise ConfigurationError([problem])
        return found


def read_logins(
    given: Sequence[Any], *, file: str = "clearance.yaml", environment: Mapping[str, str] = os.environ
) -> tuple[LoginSettings, ...]:
    """Raises ConfigurationError with every problem of every provider."""
    problems: list[Problem] = []
    read: list[LoginSettings] = []
    for number, one in enumerate(given, 1):
        try:
            settings = msgspec.convert(one, LoginSettings)
        except msgspec.ValidationError as error:
            known = "known: " + ", ".join(LoginSettings.__struct_fields__)
            problems.append(Problem("login_invalid", f"login {number}: {_plain(error)}", file, 0, known))
            continue
        found = _wrong(settings, environment)
        if settings.provider in {other.provider for other in read}:
            found.append("its name is given twice")
        problems += [Problem("login_invalid", f"login `{settings.provider}`: {text}", file) for text in found]
        read.append(settings)
    if problems:
        raise ConfigurationError(problems)
    return tuple(read)


def _wrong(settings: LoginSettings, environment: Mapping[str, str]) -> list[str]:
    wrong = []
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", settings.provider):
        wrong.append("`provider` has small letters, digits and `-`")
    for name in ("issuer", "redirect_uri"):
        if not _is_safe(getattr(settings, name)):
            wrong.append(f"`{name}` is an https URL (http only on loopback)")
    if urlsplit(settings.redirect_uri).path != f"/v1/login/{settings.provider}/callback":
        wrong.append(f"`redirect_uri` ends in /v1/login/{settings.provider}/callback")
    if not settings.client_id:
        wrong.append("`client_id` is empty")
    if settings.client_secret_env and settings.client_secret_file:
        wrong.append("`client_secret_env` and `client_secret_file` exclude each other")
    if "openid" not in settings.scopes:
        wrong.append("`scopes` needs openid")
    try:
        settings.secret(environment)
    except ConfigurationError as error:
        wrong += [problem.message.partition(": ")[2] for problem in error.problems]
    return wrong


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _plain(error: msgspec.ValidationError) -> str:
    """Which key and what type is wanted; never the value that was given."""
    text = str(error)
    return re.sub(r"^Invalid enum value .* - at ", "not one of the allowed values - at ", text, flags=re.S)
