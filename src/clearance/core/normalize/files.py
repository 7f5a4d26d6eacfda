"""File paths to resources: one spelling for one file, as far as text alone can tell. Touches no disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from clearance.core.classify.paths import normalised_path
from clearance.core.model import Resource
from clearance.core.normalize.reading import each, has_control, named, unreadable

# Where a file given as an object keeps its name; the first that is there counts.
_PATH_KEYS = ("path", "file_path", "filename", "file_name", "file_id", "name", "id")


def read_files(value: Any) -> list[Resource]:
    """One resource for each path in a string, a number (a file id), an object or a list of them."""
    return each(value, file_resource, kind="file")


def file_resource(value: Any) -> Resource:
    """`file:<normalised path>`; what holds no path, no name and no number is unreadable."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in _PATH_KEYS if key in value), None)
    if isinstance(value, int) and not isinstance(value, bool):
        return named("file", str(value))
    if not isinstance(value, str) or has_control(value):
        return unreadable("file")
    return named("file", normalised_path(_without_scheme(value)))


def _without_scheme(path: str) -> str:
    if path[:5].lower() != "file:":
        return path
    rest = path[5:]
    if rest.startswith("//"):
        rest = rest[2:]
        rest = rest[rest.find("/") :] if "/" in rest else rest
    return unquote(rest)
