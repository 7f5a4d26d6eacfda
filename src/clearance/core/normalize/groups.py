"""Recipients that stand for many, whose number no text tells; and those inside a raw message. Asks nobody."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from typing import Any

from clearance.core.model import Resource
from clearance.core.normalize.reading import UNREADABLE, named

# Arguments that name a group in a tool that sends.
_GROUP_NAMES_LIST = """
    audience audience_id audience_ids campaign campaign_id distribution_list distribution_list_id group
    group_id group_ids groups list_id list_ids mailing_list mailing_list_id segment segment_id segment_ids
    segments user_group usergroup usergroup_id usergroups
"""
GROUP_NAMES = frozenset(_GROUP_NAMES_LIST.split())
_EVERYBODY = frozenset({"@all", "@channel", "@everyone", "@here", "@room", "@team"})
_LOCALS_LIST = "all all-hands allhands all-staff allstaff company everybody everyone staff"
_LOCALS = frozenset(_LOCALS_LIST.split())
_EMPTY_GROUP = re.compile(
    r"undisclosed[- ]recipients|.*:|<?!(?:channel|here|everyone|subteam).*", re.I | re.S
)
_TEMPLATE = re.compile(r"\{\{|\$\{|\{%|<%|\*\||%[A-Za-z_]+%")
_ADDRESSED = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")
_MOST_RAW = 1_398_100  # characters of base64, a multiple of 4: 1 MiB, far more than headers fill


def stands_for_many(text: str) -> bool:
    """True for `@channel`, `all@a.example`, `undisclosed-recipients:;`, `{{customers}}`."""
    local = text.partition("@")[0].lower().removeprefix("mailto:")
    return (
        text.lower() in _EVERYBODY
        or local in _LOCALS
        or ("@" not in text and _EMPTY_GROUP.fullmatch(text) is not None)
        or _TEMPLATE.search(text) is not None
    )


def as_group(resource: Resource) -> Resource:
    """The same resource, marked as one whose members cannot be counted."""
    attributes = {**resource.attributes, "group": True}
    return Resource(kind=resource.kind, name=resource.name, attributes=attributes)


def read_groups(value: Any) -> list[Resource]:
    """One resource for each group's name or number; what is neither is a group without a name."""
    if value is None or value in ("", [], {}, False):
        return []
    items = value if isinstance(value, list | tuple) else [value]
    return [as_group(named("recipient", str(item) if isinstance(item, str | int) else "")) for item in items]


def headers_of_raw(value: str) -> Mapping[str, list[str]] | None:
    """The headers of a message in base64 that name recipients, by name; None where it cannot be read."""
    text = "".join(value[:_MOST_RAW].split()).replace("+", "-").replace("/", "_").rstrip("=")
    text = text[: len(text) // 4 * 4] if len(value) > _MOST_RAW else text + "=" * (-len(text) % 4)
    try:
        message = BytesHeaderParser().parsebytes(urlsafe_b64decode(text.encode("ascii")))
    except (binascii.Error, ValueError):
        return None
    found = {name: [str(header) for header in message.get_all(name, [])] for name in _ADDRESSED}
    return found if any(found.values()) else None


def unreadable_group() -> Resource:
    """Stands for recipients that are there and cannot be read, one or many."""
    return Resource(kind="recipient", name=UNREADABLE, attributes={"unreadable": True, "group": True})
