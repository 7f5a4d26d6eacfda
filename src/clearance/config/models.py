"""The model proxy's part of clearance.yaml: upstreams, which model goes where, what it costs. Asks nobody."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from clearance.config.identity import is_loopback_url
from clearance.errors import ConfigurationError, Problem

_GLOB: Final = re.compile(r"[A-Za-z0-9._:/@+*?-]{1,200}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]{0,4000}")
_OUR_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})
_SECRET_HEADERS: Final = frozenset({"authorization", "api-key", "x-api-key"})
_NO_GLOB: Final = "a model is named with letters, digits and . _ : / @ + -, and any part of it by * or ?"
_Wrong = Callable[[str, str], None]
T = TypeVar("T", bound=Struct)

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Money = Annotated[float, Meta(ge=0)]


class Upstream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider, or any server that speaks its wire format. Its key never leaves this process.

    `base_url` is what an SDK would be given (`https://api.openai.com/v1`, `https://api.anthropic.com`,
    `https://NAME.openai.azure.com`). The key stands in an environment variable or a file, never here.
    """

    base_url: str
    kind: Literal["openai", "anthropic", "azure"] = "openai"
    key_env: str = ""
    key_file: str = ""
    headers: dict[str, str] = {}
    api_version: str = ""  # azure's `api-version`, where the client sends none
    proxy: str = ""  # http://host:port of a CONNECT proxy on the way out
    ca_file: str = ""
    connect_timeout_seconds: Seconds = 5.0
    timeout_seconds: Seconds = 600.0  # between two bytes of an answer
    attempts: Annotated[int, Meta(ge=1, le=10)] = 2
    open_after_failures: Annotated[int, Meta(ge=1)] = 5  # the circuit breaker: so many in a row …
    open_seconds: Seconds = 10.0  # … and this long nobody tries
    most_connections: Annotated[int, Meta(ge=1, le=10_000)] = 256


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which upstreams serve a model, tried in order. `model` is a glob; the first route that fits counts."""

    model: str
    upstreams: tuple[str, ...]
    send_as: str = ""  # the upstream's name for it, where that is another


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a million tokens."""

    input: Money
    output: Money
    cached_input: Money | None = None


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `models:` mapping. Without upstreams the door is closed.

    Without `routes`, a model goes to the upstreams of the kind whose wire format the client speaks, as
    written. `prices` are by glob; a model without one costs an unknown amount, which meets every budget.
    """

    upstreams: dict[str, Upstream] = {}
    routes: tuple[Route, ...] = ()
    prices: dict[str, Price] = {}
    most_body_bytes: Annotated[int, Meta(ge=1024)] = 32 << 20  # of a request, and of an answer
    reserve_output_tokens: Annotated[int, Meta(ge=0)] = 4096  # held back for a call that names no maximum
    tool_prefixes: tuple[str, ...] = ("mcp__clearance__",)  # what clients write before names of our MCP tools


def read_models(value: Any, *, file: str) -> tuple[ModelSettings, list[Problem]]:
    """What stands there, and everything that is wrong with it."""
    problems: list[Problem] = []

    def wrong(where: str, text: str) -> None:
        problems.append(Problem("wrong_value", f"models: {where}{text}", file))

    if not isinstance(value, Mapping):
        wrong("", "must be a mapping")
        return ModelSettings(), problems
    upstreams = _named(value.get("upstreams", {}), Upstream, "upstream", wrong)
    prices = _named(value.get("prices", {}), Price, "price of", wrong)
    routes = _routes(value.get("routes", ()), wrong)
    inner = {"upstreams", "prices", "routes"}
    rest = _struct({key: each for key, each in value.items() if key not in inner}, ModelSettings, "", wrong)
    for name, upstream in upstreams.items():
        _check_upstream(upstream, f"upstream `{name}`: ", wrong)
    for glob in prices:
        if not _GLOB.fullmatch(glob):
            wrong(f"price of `{glob}`: ", _NO_GLOB)
    known = value["upstreams"] if isinstance(value.get("upstreams"), Mapping) else upstreams
    _check_routes(routes, known, wrong)
    settings = msgspec.structs.replace(
        rest or ModelSettings(), upstreams=upstreams, prices=prices, routes=tuple(routes)
    )
    return settings, problems


def read_keys(
    settings: ModelSettings, *, file: str = "clearance.yaml", environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The key of each upstream that has one. Whoever opens the door needs them; the command line does not.

    Raises ConfigurationError with every key that is not where it should be.
    """
    keys: dict[str, str] = {}
    problems: list[Problem] = []
    for name, upstream in settings.upstreams.items():
        if not (upstream.key_env or upstream.key_file):
            continue
        found, where = _key(upstream, environment)
        if found and found.isascii() and found.isprintable() and " " not in found:
            keys[name] = found
        else:
            message = f"models: upstream `{name}`: {where} holds no key: one line of printable characters"
            problems.append(Problem("missing_key", message, file))
    if problems:
        raise ConfigurationError(problems)
    return keys


def _key(upstream: Upstream, environment: Mapping[str, str]) -> tuple[str, str]:
    if upstream.key_env:
        return environment.get(upstream.key_env, "").strip(), f"the variable {upstream.key_env}"
    try:
        return Path(upstream.key_file).read_text(encoding="utf-8").strip(), f"the file {upstream.key_file}"
    except (OSError, UnicodeDecodeError):
        return "", f"the file {upstream.key_file}"


def _named(value: Any, kind: type[T], what: str, wrong: _Wrong) -> dict[str, T]:
    if not isinstance(value, Mapping):
        wrong("", f"`{'upstreams' if kind is Upstream else 'prices'}` must be a mapping of names")
        return {}
    read = {str(name): _struct(each, kind, f"{what} `{name}`: ", wrong) for name, each in value.items()}
    return {name: one for name, one in read.items() if one is not None}


def _routes(value: Any, wrong: _Wrong) -> list[Route]:
    if not isinstance(value, list | tuple):
        wrong("", "`routes` must be a list")
        return []
    read = [_struct(each, Route, f"route {index}: ", wrong) for index, each in enumerate(value, 1)]
    return [one for one in read if one is not None]


def _struct(value: Any, kind: type[T], where: str, wrong: _Wrong) -> T | None:
    """One whose every setting fits, or None, and then told why."""
    if not isinstance(value, Mapping):
        wrong(where, "must be a mapping")
        return None
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    given = {
        str(key): [each] if key == "upstreams" and isinstance(each, str) else each
        for key, each in value.items()
    }
    fits = True
    for key in given.keys() - known.keys():
        wrong(where, f"`{key}` is not a setting; known: {', '.join(known)}")
        fits = False
    for name, field in known.items():
        try:
            if name in given:
                msgspec.convert(given[name], field.type)
            elif field.required:
                wrong(where, f"`{name}` is missing")
                fits = False
        except msgspec.ValidationError as error:
            text = str(error).partition(" - at ")[0]
            wrong(
                where,
                f"`{name}` has a value that is not known" if "enum" in text else f"`{name}`: {text.lower()}",
            )
            fits = False
    return msgspec.convert(given, kind) if fits else None


def _check_upstream(upstream: Upstream, where: str, wrong: _Wrong) -> None:
    has_key = bool(
        upstream.key_env or upstream.key_file or _SECRET_HEADERS & {*map(str.lower, upstream.headers)}
    )
    if not _is_url(upstream.base_url):
        wrong(where, "`base_url` must be an http or https URL without user, query and fragment")
    elif upstream.base_url.startswith("http:") and has_key and not is_loopback_url(upstream.base_url):
        wrong(where, "`base_url` is http and goes to another machine: whoever listens would read its key")
    if upstream.key_env and upstream.key_file:
        wrong(where, "`key_env` and `key_file`: say one of them")
    if upstream.proxy and not _is_proxy(upstream.proxy):
        wrong(
            where,
            "`proxy` must be http://host:port, with user:password@ before the host where it asks for one",
        )
    if upstream.ca_file and not Path(upstream.ca_file).is_file():
        wrong(where, "`ca_file` names no file")
    if upstream.api_version and upstream.kind != "azure":
        wrong(where, "`api_version` is for upstreams of kind azure")
    for name, text in upstream.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(text):
            wrong(where, "`headers` has a name or a value with characters that end it")
        elif name.lower() in _OUR_HEADERS:
            wrong(where, f"`headers` may not set `{name}`: the framing of a request is not configured")


def _check_routes(routes: list[Route], known: Mapping[Any, Any], wrong: _Wrong) -> None:
    for index, route in enumerate(routes):
        where = f"route for `{route.model}`: "
        if not _GLOB.fullmatch(route.model):
            wrong(where, _NO_GLOB)
        if (route.send_as and not _GLOB.fullmatch(route.send_as)) or set(route.send_as) & set("*?"):
            wrong(where, "`send_as` is one model's name, without * and ?")
        if not route.upstreams:
            wrong(where, "`upstreams` names nobody")
        if len(set(route.upstreams)) < len(route.upstreams):
            wrong(where, "`upstreams` names one of them twice; `attempts` says how often it is asked")
        for name in sorted(set(route.upstreams) - set(known)):
            wrong(where, f"there is no upstream `{name}`; known: {', '.join(map(str, known)) or 'none'}")
        # `?` of an earlier glob would fit a `*` here, which stands for more than one character.
        before = [
            earlier.model
            for earlier in routes[:index]
            if "?" not in earlier.model or earlier.model == route.model
        ]
        for earlier in before:
            if fnmatchcase(route.model, earlier):
                wrong(where, f"never reached: the route for `{earlier}` stands before it")
                break


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    clean = url.isascii() and url.isprintable() and not set(url) & set(" \\?#")
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and clean
        and "@" not in parts.netloc
    )


def _is_proxy(url: str) -> bool:
    user, at, host = url.removeprefix("http://").rpartition("@")
    clean = (
        url.startswith("http://")
        and _is_url("http://" + host)
        and not urlsplit("http://" + host).path.strip("/")
    )
    return clean and (not at or (":" in user and "/" not in user and user.isprintable()))
