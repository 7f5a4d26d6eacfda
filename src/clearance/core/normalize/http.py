"""HTTP requests and URLs: what the method means, and one spelling for one address. Fetches nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, reduce
from typing import Any
from urllib.parse import urlsplit

from clearance.core.classify.paths import normalised_path
from clearance.core.model import Operation, Resource
from clearance.core.model.names import canonical
from clearance.core.normalize.files import file_resource
from clearance.core.normalize.reading import Reading, each, has_control, named, strictest, unreadable

_OPERATION: dict[str, Operation] = {
    "GET": Operation.READ,
    "HEAD": Operation.READ,
    "OPTIONS": Operation.READ,
    "POST": Operation.SEND,  # data leaves
    "PUT": Operation.UPDATE,
    "PATCH": Operation.UPDATE,
    "DELETE": Operation.DELETE,
}
_DEFAULT_PORT = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_HOST = re.compile(r"[a-z0-9_.-]+")
_MAX_URL = 65_536  # characters; what servers take at the most
_ENCODED_DOT = re.compile(r"%2e", re.IGNORECASE)
METHOD_NAMES = ("method", "http_method", "request_method", "verb")
BODY_NAMES = ("body", "data", "json", "form", "files", "content", "payload", "json_body")
# Headers and fields by which servers let a POST stand for another method.
_OVERRIDES = frozenset({"x_http_method_override", "x_http_method", "x_method_override", "method"})


def read_http(arguments: Mapping[str, Any], target: Any) -> Reading:
    """Operation from the method and its overrides; None where no method is given and nothing is sent."""
    operation = _strictest_of(told_by_methods(arguments, target))
    if any(arguments.get(name) for name in BODY_NAMES):
        operation = strictest(operation or Operation.SEND, Operation.SEND)
    resources = read_urls(target)
    if any("unreadable" in resource.attributes for resource in resources):
        operation = Operation.UNKNOWN
    return Reading(operation=operation, resources=tuple(resources))


def told_by_methods(arguments: Mapping[str, Any], target: Any) -> list[Operation]:
    """What the method and each of its overrides mean, whatever the body."""
    methods = [arguments[name] for name in METHOD_NAMES if name in arguments]
    methods.extend(_overrides(arguments.get("headers")))
    for name in ("params", "query", *BODY_NAMES):
        fields = arguments.get(name)
        if fields is not None and isinstance(fields, Mapping) and "_method" in fields:
            methods.append(fields["_method"])
    if isinstance(target, str) and "_method=" in target:
        methods.extend(re.findall(r"[?&]_method=([^&#]*)", target))
    return [
        (_OPERATION.get(method.strip().upper()) if isinstance(method, str) else None) or Operation.UNKNOWN
        for method in methods
    ]


def read_urls(value: Any) -> list[Resource]:
    """One resource for each URL in a string or a list of strings."""
    return each(value, url_resource, kind="url")


def url_resource(value: Any) -> Resource:
    """`url:<scheme>://<host>[:port]/<path>`, without userinfo, query and fragment; attribute `host`."""
    if not isinstance(value, str) or len(value) > _MAX_URL or has_control(value):
        return unreadable("url")
    return _short_url(value) if len(value) <= 512 else _url(value)


def _url(text: str) -> Resource:
    text = text.strip(" ")
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() == "file":
        return file_resource(text)
    if scheme and not scheme[2] and text[scheme.end() :].split("/", 1)[0].isdecimal():
        scheme = None  # `host:8080/path`
    if (scheme and not scheme[2]) or "\\" in text or " " in text:
        return unreadable("url")
    return _address(text if scheme else "https://" + text.lstrip("/"))


_short_url = lru_cache(maxsize=4_096)(_url)  # long ones are not kept: the caller chooses how long they are


def _address(address: str) -> Resource:
    try:
        parts = urlsplit(address)
        host, port = normalised_host(parts.hostname or ""), parts.port
    except ValueError:
        return unreadable("url")
    if not host:
        return unreadable("url")
    scheme = parts.scheme.lower()
    shown = "" if port is None or port == _DEFAULT_PORT.get(scheme) else f":{port}"
    bracketed = f"[{host}]" if ":" in host else host
    resource = named("url", f"{scheme}://{bracketed}{shown}{_path(parts.path)}")
    if "unreadable" in resource.attributes:
        return resource
    return Resource(kind="url", name=resource.name, attributes={"host": host})


def normalised_host(host: str) -> str:
    """Lower case, IDNA, no trailing dot, IPv6 shortened; empty where it is no host name."""
    host = host.rstrip(".").lower()
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).compressed
        except ValueError:
            return ""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower()
        except UnicodeError:
            return ""
    return host if _HOST.fullmatch(host) else ""


def _path(path: str) -> str:
    clean = normalised_path("/" + _ENCODED_DOT.sub(".", path))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _overrides(headers: Any) -> Iterator[Any]:
    pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
    if not isinstance(headers, Mapping | list | tuple):
        return
    for pair in pairs:
        if isinstance(pair, Mapping):
            pair = (pair.get("name", pair.get("key")), pair.get("value"))
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str):
            name = canonical(pair[0][:64])
            if name in _OVERRIDES:
                yield pair[1]


def _strictest_of(operations: list[Operation]) -> Operation | None:
    return reduce(strictest, operations) if operations else None
