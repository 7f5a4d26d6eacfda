"""Commands on an object store by key or prefix: what is read, written and removed. Asks no store."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.core.classify.found import doing, opaque, thing, union
from clearance.core.model import Operation
from clearance.core.model.effects import Classification
from clearance.core.model.radius import Exactness, Touch

_SCHEMES = ("s3://", "gs://", "az://", "oss://", "b2://")
_VALUES_LIST = """
    --exclude --include --acl --storage-class --sse --sse-kms-key-id --grants --content-type
    --cache-control --profile --region --endpoint-url --output --query --metadata --metadata-directive
    --page-size --expires-in --content-encoding --content-disposition --source-region --request-payer
    --expected-size
"""
_VALUES = frozenset(_VALUES_LIST.split())
_MANY = ("--recursive", "-r", "-R", "--include-all")


def object_command(words: Sequence[str]) -> Classification:
    """From the words after `aws s3` or `gcloud storage`: `rm s3://bucket/logs/ --recursive`."""
    verb, operands, options = _cut(words)
    if (
        verb == "ls"
        or verb in ("cat", "presign", "du", "stat")
        or "--dryrun" in options
        or "--dry-run" in options
    ):
        return doing("read", *(thing(*_place(word), Operation.READ) for word in operands))
    if verb in ("rm", "rb"):
        return doing("delete", *(thing(*_place(word), Operation.DELETE) for word in operands))
    if verb == "mb":
        return doing("write", *(thing(*_place(word), Operation.CREATE) for word in operands))
    if verb in ("cp", "mv", "sync", "rsync") and len(operands) >= 2:
        return _transfer(verb, operands, options)
    return opaque("the operation on the object store is not reviewed")


def _transfer(verb: str, operands: Sequence[str], options: Sequence[str]) -> Classification:
    *sources, target = operands
    deletes = any(option.startswith("--delete") for option in options)
    taken = Operation.DELETE if verb == "mv" else Operation.READ
    given = Operation.DELETE if deletes else Operation.UPDATE
    found = doing(
        "read+write",
        *(thing(*_place(source), taken) for source in sources),
        thing(*_place(target), given),
    )
    return union(found, doing("delete")) if verb == "mv" or deletes else found


def prefix_touches(words: Sequence[str]) -> tuple[Touch, ...]:
    """One object, or a prefix: how much that holds is unknown until it is counted."""
    _, _, options = _cut(words)
    many = any(option in _MANY for option in options)
    found = []
    for named in object_command(words).objects:
        kind, _, name = named.name.partition(":")
        if kind not in ("s3", "gs", "az", "oss", "b2"):
            continue
        single = (
            not many
            and not name.endswith("/")
            and "*" not in name
            and "/" in name
            and words[0] in ("rm", "cp", "mv")
        )
        exactness = Exactness.EXACT if single else Exactness.UNKNOWN
        found.append(
            Touch(
                resource=named.name,
                operation=named.operation,
                count=1 if single else None,
                exactness=exactness,
            )
        )
    return tuple(found)


def _cut(words: Sequence[str]) -> tuple[str, list[str], list[str]]:
    operands: list[str] = []
    options: list[str] = []
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word.startswith("-") and word != "-":
            options.append(word)
            skip = word in _VALUES
        else:
            operands.append(word)
    return (words[0] if words else ""), operands, options


def _place(word: str) -> tuple[str, str]:
    """`s3:<bucket>/<key>` for an address of a store, else a local file."""
    for scheme in _SCHEMES:
        if word.startswith(scheme):
            return scheme[:-3], word[len(scheme) :]
    return "file", word
