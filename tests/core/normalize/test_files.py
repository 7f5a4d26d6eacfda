"""File paths: one spelling for one file, as far as text alone can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.normalize import UNREADABLE, normalised_path, read_files


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("/srv/./a//b/../c", ["/srv/a/c"]),
        ("//etc/passwd", ["/etc/passwd"]),
        ("/../../etc", ["/etc"]),
        ("a/../../etc", ["../etc"]),
        ("../../x", ["../../x"]),
        ("logs/*.txt", ["logs/*.txt"]),
        (".", ["."]),
        ("/", ["/"]),
        ("file:///srv/a%20b", ["/srv/a b"]),
        ("file:/srv/x", ["/srv/x"]),
        (["a", "b/"], ["a", "b"]),
        (13, ["13"]),
        ([{"path": "/x"}, {"file_id": 7}], ["/x", "7"]),
        ("", []),
        (None, []),
        ("a\0b", [UNREADABLE]),
        ("a\nb", [UNREADABLE]),
        ("a\u202eb", [UNREADABLE]),
        (["a", True, 1.5, {"x": 1}], ["a", UNREADABLE, UNREADABLE, UNREADABLE]),
    ],
)
def test_one_file_has_one_spelling(value: object, names: list[str]) -> None:
    assert [resource.name for resource in read_files(value)] == names


@given(st.text(alphabet="ab./*", max_size=40))
def test_a_normalised_path_stays_as_it_is_and_holds_no_detour(path: str) -> None:
    clean = normalised_path(path)
    assert normalised_path(clean) == clean
    parts = clean.strip("/").split("/")
    assert ".." not in parts[len([part for part in parts if part == ".."]) :]
    assert clean.startswith("/") == path.startswith("/")


def test_a_huge_list_is_counted_whole_and_listed_in_part() -> None:
    found = read_files([f"f{number}" for number in range(10_050)])
    assert len(found) == 10_001
    assert found[-1].attributes == {"unreadable": True, "count": 50}
