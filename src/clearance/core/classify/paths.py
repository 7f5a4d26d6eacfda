"""One spelling for one path, as far as text alone can tell. Touches no disk."""

from __future__ import annotations


def normalised_path(path: str) -> str:
    """`.`, `..` and doubled slashes resolved as text. A relative path that climbs out keeps its `..`.

    >>> [normalised_path(path) for path in ("/srv/./a//b/../c", "a/../../etc", "/../etc", "logs/*.txt")]
    ['/srv/a/c', '../etc', '/etc', 'logs/*.txt']
    """
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            kept.append(part)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not rooted:
            kept.append(part)
    return ("/" if rooted else "") + "/".join(kept) or "."
