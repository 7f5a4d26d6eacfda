"""Credentials of destinations: read once, set on requests, shown to nobody. Agents never hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from clearance.config import EgressCredential
from clearance.errors import ConfigurationError, Problem, RequestError
from clearance.gateway.egress_proxy.heads import Header
from clearance.gateway.egress_proxy.places import Place

_SECRET = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def fits_host(pattern: str, host: str) -> bool:
    """`api.example.org`, or `*.example.org` for every host below it."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern


class Credentials:
    """Immutable once made."""

    def __init__(
        self, settings: Iterable[EgressCredential], environment: Mapping[str, str] = os.environ
    ) -> None:
        """Raises ConfigurationError with every secret that is not there."""
        problems: list[Problem] = []
        self._known = [(each, _secret(each, environment, problems)) for each in settings]
        if problems:
            raise ConfigurationError(problems)

    def onward(
        self, headers: tuple[Header, ...], place: Place, agent: str, *, is_private: bool
    ) -> tuple[Header, ...]:
        """The headers with what this agent is given for this place, in the place of the client's own.

        `is_private`: nobody outside listens. Raises RequestError where a secret would go out in the clear.
        """
        for credential, secret in self._known:
            if fits_host(credential.host, place.host) and _is_for(credential, agent):
                if not is_private:
                    raise RequestError(
                        "This destination gets a credential from Clearance, over https only.",
                        reason="credential_in_clear",
                    )
                name = credential.header.lower().encode("ascii")
                others = tuple(each for each in headers if each[0] != name)
                headers = (*others, (name, (credential.prefix + secret).encode("ascii")))
        return headers


def _is_for(credential: EgressCredential, agent: str) -> bool:
    return not credential.agents or any(fnmatchcase(agent, glob) for glob in credential.agents)


def _secret(credential: EgressCredential, environment: Mapping[str, str], problems: list[Problem]) -> str:
    where = f"egress: credential for {credential.host}"
    try:
        if credential.value_env:
            text = environment.get(credential.value_env, "")
        else:
            text = Path(credential.value_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not _SECRET.fullmatch(text):
        source = credential.value_env or credential.value_file
        problems.append(Problem("wrong_value", f"{where}: {source} holds no value that a header can have"))
    return text
