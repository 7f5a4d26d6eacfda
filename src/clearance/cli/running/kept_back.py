"""What of this process and this machine a program is not given: variables, files, sockets, the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from clearance.cli import session_file
from clearance.config import Settings
from clearance.config.settings import FILE
from clearance.wiring import MEMORY

# Credentials of providers of models and clouds, as their own SDKs read them.
PROVIDERS = (
    "ANTHROPIC_*",
    "AWS_*",
    "AZURE_*",
    "CO_API_KEY",
    "COHERE_API_KEY",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GROQ_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "MISTRAL_API_KEY",
    "OPENAI_*",
    "OPENROUTER_API_KEY",
    "PERPLEXITY_API_KEY",
    "REPLICATE_API_TOKEN",
    "TOGETHER_API_KEY",
    "VOYAGE_API_KEY",
    "WATSONX_*",
    "XAI_API_KEY",
)
_OURS = ("CLEARANCE_*",)  # the parent's own key may be a person's, and its store is not the program's
_SOCKETS = ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST")  # ways to have others act
_NAMED = re.compile(r"\$\{(\w+)\}")


def variables(environment: Mapping[str, str], settings: Settings, *, keep: Sequence[str]) -> tuple[str, ...]:
    """Names of those taken out. `keep` are patterns of names that stay."""
    patterns = {*PROVIDERS, *_OURS, *_SOCKETS, *_named_variables(settings)}
    taken = {name for name in environment if any(fnmatchcase(name, pattern) for pattern in patterns)}
    return tuple(sorted(name for name in taken if not any(fnmatchcase(name, one) for one in keep)))


def hidden(settings: Settings) -> tuple[str, ...]:
    """The store, people's sessions, and every file that the settings name as a secret's."""
    files = [value for key, value in _texts(settings) if key.endswith("_file") and key != "ca_file"]
    places = [settings.egress.ca_directory, "" if settings.store == MEMORY else settings.store]
    found = {str(Path(one).absolute()) for one in (*files, *places) if one}
    return tuple(sorted(found | {str(session_file.path())}))


def read_only(settings: Settings) -> tuple[str, ...]:
    """What the rules are read from."""
    return tuple(str(Path(one).absolute()) for one in (FILE, *settings.policies))


def _named_variables(settings: Settings) -> Iterator[str]:
    for key, value in _texts(settings):
        if key.endswith("_env"):
            yield value
        yield from _NAMED.findall(value)


def _texts(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from _within("", msgspec.to_builtins(settings))


def _within(key: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            if value:
                yield key, value
        case dict():
            for name, inner in value.items():
                yield from _within(str(name), inner)
        case list() | tuple():
            for inner in value:
                yield from _within(key, inner)
