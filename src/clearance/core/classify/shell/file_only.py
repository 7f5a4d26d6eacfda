"""Whether a command touches files and nothing else, so that it may be rehearsed on a throw-away copy."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.core.classify.shell.reader import classify_shell
from clearance.core.model.effects import EffectClass

# Reviewed: they start no program and open no connection; what they touch is named by their words.
_LIST = """
    rm rmdir unlink shred mv cp ln link install mkdir mktemp touch truncate chmod chown chgrp tee dd sed
    gsed split find xargs cat tac ls dir head tail wc stat file du sort uniq cut tr grep egrep fgrep nl
    od comm cmp diff echo printf true false : cd test pwd basename dirname readlink realpath seq gzip
    gunzip bzip2 bunzip2 xz unxz fallocate setfacl chattr setfattr tar gtar set exit return break
    continue read shift command builtin time nice nohup timeout env md5sum sha1sum sha256sum sha512sum
    cksum paste fold rev
"""
_COMMANDS = frozenset(f"command:{name}" for name in _LIST.split())
_EFFECTS = frozenset({EffectClass.READ, EffectClass.WRITE, EffectClass.DELETE})


def file_only(command: str | Sequence[str]) -> bool:
    """True where every command in it is reviewed to touch only files, and nothing in it could not be read."""
    found = classify_shell(command)
    commands = {named.name for named in found.objects if named.name.startswith("command:")}
    if not found.effects <= _EFFECTS or not commands or not commands <= _COMMANDS:
        return False
    return not any(named.name.startswith(("url:", "host:", "database:")) for named in found.objects)
