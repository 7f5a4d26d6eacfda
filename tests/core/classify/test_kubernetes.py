"""Clusters: named objects count, holders and selectors have no number."""

from __future__ import annotations

import pytest

from clearance.core.classify.kubernetes import kubectl, manifest_touches, touches
from clearance.core.model import Operation
from clearance.core.model.effects import EffectClass


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        ("delete pod web api", {"default/pod/web": 1, "default/pod/api": 1}),
        ("delete po/web -n shop", {"shop/pod/web": 1}),
        ("delete configmap,secret a", {"default/configmap/a": 1, "default/secret/a": 1}),
        ("delete namespace prod", {"default/namespace/prod": None}),
        ("delete deploy web", {"default/deployment/web": None}),
        ("delete pvc data", {"default/persistentvolumeclaim/data": None}),
        ("delete pods --all", {"default/*": None}),
        ("delete pods -l app=web", {"default/*": None}),
        ("delete -f app.yaml", {"default/*": None}),
        ("drain node1", {"default/node/node1": None}),
        ("get pods -A", {"*/*": None}),
        ("scale deploy/web --replicas 0", {"default/deployment/web": 1}),
        ("version", {}),
        ("", {}),
    ],
)
def test_objects_are_named_and_counted(words: str, counted: dict[str, int | None]) -> None:
    assert {touch.resource: touch.count for touch in touches(words.split())} == counted


def test_a_deletion_is_a_deletion_and_an_unlisted_verb_names_nothing() -> None:
    found = kubectl(["delete", "ns", "prod"])
    assert found is not None
    assert found.effects == {EffectClass.DELETE}
    assert kubectl(["explode"]) is None


def test_a_manifest_names_every_object_of_every_document() -> None:
    text = (
        "kind: Namespace\nmetadata: {name: a}\n---\nkind: List\nitems:\n"
        "- {kind: Pod, metadata: {name: p, namespace: n}}\n---\n"
    )
    counted = {touch.resource: touch.count for touch in manifest_touches(text, Operation.DELETE)}
    assert counted == {"default/namespace/a": None, "n/pod/p": 1}


@pytest.mark.parametrize("text", ["", "a: [", "3", "kind: Pod", "kind: List", "!!python/object:os.x {}"])
def test_a_manifest_that_cannot_be_read_is_not_counted(text: str) -> None:
    assert [touch.count for touch in manifest_touches(text, Operation.DELETE)] == [None]
