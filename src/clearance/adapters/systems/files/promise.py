"""What a snapshot of files will not return, said before anything runs. Reads manifests, touches no disk."""

from __future__ import annotations

import os
import posixpath
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from clearance.adapters.systems.files.entry import Entry, Manifest, parent_of
from clearance.core.model import Reversibility


def shortcomings(manifest: Manifest, root: Path) -> tuple[str, ...]:
    """One sentence for each; empty where everything comes back."""
    found = []
    entries = manifest.entries
    if shared := _shared_with_others(entries):
        found.append(
            f"{shared} file(s) have further names outside of what is saved; those keep what is written"
        )
    if leading := sum(_leads_out(path, entry, root) for path, entry in entries.items()):
        found.append(
            f"{leading} symbolic link(s) lead out of the root; what is written through them is not saved"
        )
    if manifest.strangers:
        found.append(
            f"{len(manifest.strangers)} path(s) are excluded or on another file system, and not saved"
        )
    return tuple(found)


def reversibility_of(sentences: tuple[str, ...]) -> Reversibility:
    return Reversibility.CONTENT if sentences else Reversibility.EXACT


def _shared_with_others(entries: Mapping[bytes, Entry]) -> int:
    linked = [entry for entry in entries.values() if entry.nlink > 1 and not entry.is_directory]
    inside = Counter((entry.dev, entry.ino) for entry in linked)
    return sum(entry.nlink > inside[entry.dev, entry.ino] for entry in linked)


def _leads_out(path: bytes, entry: Entry, root: Path) -> bool:
    if not stat.S_ISLNK(entry.kind):
        return False
    start = os.fsencode(root)
    end = posixpath.normpath(posixpath.join(start, parent_of(path), entry.target))
    return end != start and not end.startswith(start.rstrip(b"/") + b"/")
