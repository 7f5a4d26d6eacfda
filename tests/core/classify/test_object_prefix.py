"""Object stores: one object is one, a prefix is unbounded until it is counted."""

from __future__ import annotations

import pytest

from clearance.core.classify.object_prefix import object_command, prefix_touches
from clearance.core.model.effects import EffectClass


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        ("rm s3://b/a.txt", {"s3:b/a.txt": 1}),
        ("rm s3://b/logs/ --recursive", {"s3:b/logs/": None}),
        ("rm s3://b/logs --recursive", {"s3:b/logs": None}),
        ("rb s3://b --force", {"s3:b": None}),
        ("sync . s3://b/site --delete", {"s3:b/site": None}),
        ("cp a s3://b/a", {"s3:b/a": 1}),
        ("ls s3://b/logs/", {"s3:b/logs/": None}),
    ],
)
def test_a_prefix_has_no_number(words: str, counted: dict[str, int | None]) -> None:
    assert {touch.resource: touch.count for touch in prefix_touches(words.split())} == counted


def test_removing_moving_and_mirroring_delete() -> None:
    for words in ("rm s3://b/a", "mv s3://b/a s3://b/c", "sync a s3://b --delete", "rb s3://b"):
        assert EffectClass.DELETE in object_command(words.split()).effects, words
    for words in ("cp a s3://b/a", "sync a s3://b", "ls s3://b", "rm s3://b/a --dryrun"):
        assert EffectClass.DELETE not in object_command(words.split()).effects, words


def test_an_unlisted_operation_is_unknown() -> None:
    for words in ("", "cp", "explode s3://b"):
        assert EffectClass.UNKNOWN in object_command(words.split()).effects, words
