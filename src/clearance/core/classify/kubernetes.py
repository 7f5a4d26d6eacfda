"""Objects of a cluster that a kubectl command or a manifest names. A namespace holds more than is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from clearance.core.classify.found import doing, thing
from clearance.core.model import Operation
from clearance.core.model.effects import Classification
from clearance.core.model.radius import Exactness, Touch

_OPERATIONS: dict[str, Operation] = {
    "get": Operation.READ,
    "describe": Operation.READ,
    "delete": Operation.DELETE,
    "edit": Operation.UPDATE,
    "patch": Operation.UPDATE,
    "label": Operation.UPDATE,
    "annotate": Operation.UPDATE,
    "scale": Operation.UPDATE,
    "drain": Operation.DELETE,
    "cordon": Operation.ADMIN,
}
_VALUES_LIST = """
    -n --namespace --context --kubeconfig -l --selector -o --output -f --filename -c --container
    --cluster --user --field-selector --grace-period --timeout --cascade --replicas -p --patch --type -k
    --kustomize --as --as-group
"""
_VALUES = frozenset(_VALUES_LIST.split())
_NAMES = {
    "pod": "po pods",
    "namespace": "ns namespaces",
    "deployment": "deploy deployments",
    "service": "svc services",
    "persistentvolumeclaim": "pvc persistentvolumeclaims",
    "persistentvolume": "pv persistentvolumes",
    "statefulset": "sts statefulsets",
    "configmap": "cm configmaps",
    "secret": "secrets",
    "node": "no nodes",
    "daemonset": "ds daemonsets",
    "ingress": "ing ingresses",
    "job": "jobs",
    "cronjob": "cj cronjobs",
    "replicaset": "rs replicasets",
    "customresourcedefinition": "crd crds customresourcedefinitions",
}
_SHORT = {short: kind for kind, names in _NAMES.items() for short in names.split()}
# Deleting one of these deletes what it holds or owns: how much that is, only the cluster can tell.
_HOLDERS_LIST = """
    namespace deployment statefulset daemonset replicaset job cronjob persistentvolumeclaim
    persistentvolume customresourcedefinition node
"""
_HOLDERS = frozenset(_HOLDERS_LIST.split())
_MANY = frozenset(
    [
        "--all",
        "-l",
        "--selector",
        "--field-selector",
        "-f",
        "--filename",
        "-k",
        "--kustomize",
        "-A",
        "--all-namespaces",
    ]
)
_MOST_DOCUMENTS = 1_000


def kubectl(words: Sequence[str]) -> Classification | None:
    """The objects that the words after `kubectl` name; None for a verb that names none."""
    operation = _OPERATIONS.get(_operands(words)[0]) if _operands(words) else None
    if operation is None:
        return None
    effect = {Operation.READ: "read", Operation.DELETE: "delete", Operation.ADMIN: "admin"}.get(
        operation, "write"
    )
    objects = [thing("kubernetes", touch.resource, operation) for touch in touches(words)]
    return doing(effect, *objects)


def touches(words: Sequence[str]) -> tuple[Touch, ...]:
    """One for each named object: `default/pod/web`. A selector, a file or a holder has no number."""
    operands = _operands(words)
    if not operands or operands[0] not in _OPERATIONS:
        return ()
    operation = _OPERATIONS[operands[0]]
    namespace, kind = _namespace(words), "node" if operands[0] in ("drain", "cordon") else ""
    found = [
        _touch(f"{namespace}/{kind}/{name}", kind, operation) for kind, name in _named(operands[1:], kind)
    ]
    if not found or any(word.partition("=")[0] in _MANY for word in words):
        found.append(
            Touch(resource=f"{namespace}/*", operation=operation, count=None, exactness=Exactness.UNKNOWN)
        )
    return tuple(found)


def manifest_touches(text: str, operation: Operation, *, namespace: str = "default") -> tuple[Touch, ...]:
    """The objects of a manifest of YAML or JSON documents. What cannot be read is one unbounded touch."""
    unread = Touch(resource="<unreadable>", operation=operation, count=None, exactness=Exactness.UNKNOWN)
    try:
        documents = [*yaml.safe_load_all(text)]
        objects = [item for document in documents if document is not None for item in _items(document)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return (unread,)
    if not objects or len(objects) > _MOST_DOCUMENTS:
        return (unread,)
    return tuple(_of_manifest(item, operation, namespace) or unread for item in objects)


def _items(document: Any) -> Iterator[Any]:
    if isinstance(document, Mapping) and str(document.get("kind", "")).endswith("List"):
        listed = document.get("items")
        yield from listed if isinstance(listed, list) else [None]
    else:
        yield document


def _of_manifest(item: Any, operation: Operation, namespace: str) -> Touch | None:
    metadata = item.get("metadata") if isinstance(item, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(item.get("kind"), str):
        return None
    name, place = metadata.get("name"), metadata.get("namespace", namespace)
    if not isinstance(name, str) or not isinstance(place, str):
        return None
    kind = item["kind"].lower()
    return _touch(f"{place}/{kind}/{name}", kind, operation)


def _touch(resource: str, kind: str, operation: Operation) -> Touch:
    unbounded = operation is Operation.DELETE and (kind in _HOLDERS or not kind)
    return Touch(
        resource=resource,
        operation=operation,
        count=None if unbounded else 1,
        exactness=Exactness.UNKNOWN if unbounded else Exactness.EXACT,
    )


def _named(operands: Sequence[str], kind: str) -> Iterator[tuple[str, str]]:
    """`pod web api`, `pod/web svc/api`, and for nodes the names alone."""
    for place, word in enumerate(operands):
        if "/" in word:
            of, _, name = word.partition("/")
            yield _kind(of), name
        elif kind:
            yield kind, word
        elif place > 0 and "/" not in operands[0]:
            yield from ((_kind(of), word) for of in operands[0].split(","))


def _kind(word: str) -> str:
    plain = word.lower().split(".", 1)[0]
    return _SHORT.get(plain, plain)


def _operands(words: Sequence[str]) -> list[str]:
    operands: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _VALUES
        else:
            operands.append(word)
    return operands


def _namespace(words: Sequence[str]) -> str:
    for index, word in enumerate(words):
        if word in ("-n", "--namespace") and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(("--namespace=", "-n=")):
            return word.partition("=")[2]
    return "*" if "-A" in words or "--all-namespaces" in words else "default"
