"""Definitions of MCP tools: what an agent reads of them, by hash, and names that look alike. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

# All that a model or a client goes by. The rest (icons, `_meta`) may change from one list to the next.
PINNED: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")
_APART: Final = str.maketrans("", "", "_-./: ")
# Letters of other alphabets, and digits, that are drawn as Latin letters; after case is folded.
_DRAWN_ALIKE: Final = str.maketrans(
    "аеорсухіјѕԁһӏвкмнтгαερονικτυχωβ01|ı",
    "aeopcyxijsdhlbkmhtraepovikтuxwbolli".replace("т", "t"),
)


class ToolSeen(Struct, frozen=True, kw_only=True):
    """One tool of a list, as a pin would hold it."""

    name: str
    digest: str
    definition: str


def seen(tools: Sequence[Any]) -> list[ToolSeen]:
    """The tools of a list, without what is no tool."""
    named = [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
    return [_seen(tool) for tool in named]


def _seen(tool: Mapping[str, Any]) -> ToolSeen:
    pinned = _CANONICAL.encode({name: tool[name] for name in PINNED if tool.get(name) is not None})
    digest = hashlib.sha256(pinned).hexdigest()
    return ToolSeen(name=tool["name"], digest=digest, definition=pinned.decode())


def alike(name: str) -> str:
    """The same for all names that a person, or a rule, could take for one another.

    >>> alike("send_Email") == alike("sendEmail") == alike("sеnd-email")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")
    return plain.translate(_DRAWN_ALIKE).translate(_APART)


def passing_for_another(names: Collection[str], known: Collection[str]) -> frozenset[str]:
    """Those of `names` that look like another one of them, or like one that is known."""
    every = set(names) | set(known)
    drawn = Counter(alike(name) for name in every)
    return frozenset(name for name in names if drawn[alike(name)] > 1)
