"""What a redirection does to its target: `>` empties and writes, `>>` writes, a device may be the network."""

from __future__ import annotations

import re

from clearance.core.classify.found import NOTHING, doing, opaque, thing
from clearance.core.classify.shell.call import Call
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_HARMLESS = re.compile(r"/dev/(?:null|zero|full|tty|stdin|stdout|stderr|fd/\d+|u?random)")
_NETWORK = re.compile(r"/dev/(?:tcp|udp)/")
_OVERWRITES = frozenset({">", ">|", "&>", ">&"})
_APPENDS = frozenset({">>", "&>>"})


def redirected(operator: str, target: Word, call: Call) -> Classification:
    """By the operator as bash spells it."""
    path = target.plain
    if operator in ("<&", ">&", "<&-", ">&-") and path is not None and re.fullmatch(r"\d*-?", path):
        return NOTHING
    if path is not None and _HARMLESS.fullmatch(path):
        return NOTHING
    if path is not None and _NETWORK.match(path):
        return doing("read+write+outbound", thing("host", path.split("/")[3], Operation.SEND))
    if operator == "<":
        return doing("read", call.file(target, Operation.READ))
    if operator in _OVERWRITES:
        return doing("write+delete", call.file(target, Operation.DELETE))
    if operator in _APPENDS:
        return doing("write", call.file(target, Operation.UPDATE))
    return opaque("a redirection of this kind is not reviewed")
