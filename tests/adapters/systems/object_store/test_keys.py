"""Which objects a call names: exactly, at most, or not to be told."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.adapters.systems.object_store.keys import Reach, names_a_version, reach
from tests.ports.system_drivers import request


def read(names: list[str], root: str = "", /, **arguments: Any) -> Reach:
    return reach(request(**arguments), names, bucket="crm", prefix=root, copies=f"{root}.clearance/x/")


def keys(found: Reach) -> list[str]:
    return [key for scope in found.scopes for key in scope.keys or ()]


def resources(found: Reach) -> list[str]:
    return [scope.resource for scope in found.scopes if scope.keys is None]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"record_ids": ["a", 7]}, ["r/a", "r/7"]),
        ({"key": "r/a"}, ["r/a"]),
        ({"Key": "elsewhere/b"}, ["elsewhere/b"]),
        ({"keys": ["r/a", "r/b", "r/a"]}, ["r/a", "r/b"]),
        ({"Delete": {"Objects": [{"Key": "r/a"}, {"Key": "r/b"}], "Quiet": True}}, ["r/a", "r/b"]),
        ({"objects": [{"key": "r/a"}, "r/b"]}, ["r/a", "r/b"]),
        ({"key": "r/a", "keys": ["r/b"]}, ["r/a", "r/b"]),
    ],
)
def test_named_keys_are_counted_one_by_one(arguments: dict[str, Any], expected: list[str]) -> None:
    found = read(["r"], **arguments)
    assert (keys(found), resources(found), found.bound, found.unknown) == (expected, [], False, ())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["r"]),
        ({"prefix": "r/2026-"}, ["r/2026-*"]),
        ({"Prefix": ""}, ["*"]),
    ],
)
def test_names_and_prefixes_are_listed(arguments: dict[str, Any], expected: list[str]) -> None:
    found = read(["r"], **arguments)
    assert (resources(found), keys(found), found.unknown) == (expected, [], ())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"key": "r/*.csv"}, ["r/*"]),
        ({"keys": ["r/[ab]"]}, ["r/*"]),
        ({"prefix": "r/{a,b}"}, ["r/*"]),
        ({"pattern": "x"}, ["r"]),
        ({"filter": {"size": 3}}, ["r"]),
    ],
)
def test_a_pattern_or_a_condition_bounds_the_count_from_above(
    arguments: dict[str, Any], expected: list[str]
) -> None:
    found = read(["r"], **arguments)
    assert (resources(found), found.bound, found.unknown) == (expected, True, ())


@pytest.mark.parametrize(
    ("names", "root", "arguments"),
    [
        (["r"], "", {"key": 7}),
        (["r"], "", {"keys": ["a", None]}),
        (["r"], "", {"objects": [{"name": "a"}]}),
        (["r"], "", {"record_ids": [{"a": 1}]}),
        (["r"], "", {"record_ids": ["*"]}),
        (["r"], "", {"record_ids": True}),
        (["r"], "", {"prefix": None}),
        (["r"], "", {"bucket": "another", "key": "r/a"}),
        (["r"], "data/", {"key": "r/a"}),
        (["r"], "data/", {"prefix": ""}),
        (["r"], "", {"key": ".clearance/x/snap/1"}),
    ],
)
def test_what_cannot_be_told_is_unknown(names: list[str], root: str, arguments: dict[str, Any]) -> None:
    assert read(names, root, **arguments).unknown


def test_no_name_stands_for_all_of_the_bucket() -> None:
    assert resources(read([])) == [""]
    assert resources(read([], "data/")) == ["data/"]


def test_the_prefix_of_the_options_goes_before_names_and_not_before_keys() -> None:
    assert resources(read(["r"], "data/")) == ["data/r"]
    assert keys(read(["r"], "data/", record_ids=["a"])) == ["data/r/a"]
    assert keys(read(["r"], "data/", key="data/r/a")) == ["data/r/a"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"version_id": "x"},
        {"VersionId": "x"},
        {"Delete": {"Objects": [{"Key": "a", "VersionId": "x"}]}},
        {"versions": []},
    ],
)
def test_a_call_about_an_old_version_is_noticed(arguments: dict[str, Any]) -> None:
    assert names_a_version(request(**arguments))
    assert not names_a_version(request(key="version"))
