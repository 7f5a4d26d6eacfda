"""Texts against texts: exact, globs, RE2, domains. Everything is compiled at load; nothing backtracks."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import re2

from clearance.core.policy.view import domain

Accepts = Callable[[Any], bool]

_WILD = frozenset("*?[")


class PatternError(ValueError):
    """The pattern cannot be used; the message says why."""


def is_glob(pattern: str) -> bool:
    return not _WILD.isdisjoint(pattern)


@lru_cache(maxsize=4096)
def _translated(pattern: str) -> str:
    source = fnmatch.translate(pattern)
    # How fnmatch writes a class that holds nothing, as in [z-a]; in escaped text it cannot occur.
    if "(?!)" in source:
        raise PatternError(f'the class in "{pattern}" is empty')
    try:
        re.compile(source)
    except (re.error, RecursionError, OverflowError):
        raise PatternError(f'"{pattern}" is not a glob') from None
    return source


def any_glob(patterns: Sequence[str]) -> Accepts:
    """True for a text that equals or matches one of the patterns; `*` crosses dots and slashes, case counts.

    Raises PatternError.
    """
    exact = frozenset(pattern for pattern in patterns if not is_glob(pattern))
    globs = sorted({pattern for pattern in patterns if is_glob(pattern)})
    if not globs:
        return exact.__contains__
    if not exact and all(not is_glob(glob[:-1]) and glob.endswith("*") for glob in globs):
        return _starting(tuple(glob[:-1] for glob in globs))
    found = re.compile("|".join(_translated(glob) for glob in globs)).match

    def accepts(text: str) -> bool:
        return text in exact or found(text) is not None

    return accepts


def _starting(prefixes: tuple[str, ...]) -> Accepts:
    def accepts(text: str) -> bool:
        return text.startswith(prefixes)

    return accepts


def any_expression(expressions: Sequence[str]) -> Accepts:
    """True for a text in which one of the RE2 expressions is found. Raises PatternError."""
    options = re2.Options()
    options.log_errors = False
    searches = []
    for expression in expressions:
        try:
            searches.append(re2.compile(expression, options).search)
        except (re2.error, UnicodeEncodeError):
            raise PatternError(f'"{expression}" is not an RE2 expression') from None

    def accepts(text: str) -> bool:
        try:
            return any(search(text) is not None for search in searches)
        except UnicodeEncodeError:  # a lone surrogate: RE2 reads UTF-8 only
            readable = text.encode("utf-8", "replace").decode()
            return any(search(readable) is not None for search in searches)

    return accepts


def any_domain(names: Sequence[str]) -> Accepts:
    """True for one of these domains, or one below `*.example.org`. Raises PatternError."""
    exact, endings = set(), []
    for name in names:
        bare = domain(name.removeprefix("*."))
        if not bare or is_glob(bare):
            raise PatternError(f'"{name}" is not a domain or "*." and a domain; domain_pattern takes globs')
        if name.startswith("*."):
            endings.append(f".{bare}")
        else:
            exact.add(bare)
    suffixes = tuple(endings)

    def accepts(host: str) -> bool:
        return host in exact or host.endswith(suffixes)

    return accepts
