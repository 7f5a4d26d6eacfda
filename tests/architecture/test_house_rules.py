"""What of the house rules a machine can hold."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.conftest import QUICK

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/clearance").rglob("*.py"))
NAMES = [path.relative_to(ROOT / "src").as_posix() for path in SOURCES]
MOST_LINES = 400
MOST_FUNCTION_LINES = 40
BANNED_NAMES = {"utils", "common", "helpers", "manager", "util", "helper", "misc"}


@cache
def trees() -> dict[Path, ast.Module]:
    """Read once, and only where one of these tests runs: every process collects them."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def test_a_file_stays_small_says_what_it_is_for_and_has_a_telling_name() -> None:
    for path, name in zip(SOURCES, NAMES, strict=True):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, f"{name} is too long"
        assert ast.get_docstring(trees()[path]), f"{name}: a module's first line says what it is for"
        assert path.stem not in BANNED_NAMES, name


def test_a_function_stays_small_and_takes_no_positional_flag() -> None:
    for path, name in zip(SOURCES, NAMES, strict=True):
        for node in ast.walk(trees()[path]):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            assert node.end_lineno is not None
            docstring = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
            assert length <= MOST_FUNCTION_LINES, f"{name}: {node.name} has {length} lines"


def test_an_init_holds_a_docstring_imports_and_lists() -> None:
    allowed = ast.Import | ast.ImportFrom | ast.Expr | ast.Assign | ast.AnnAssign
    for path, name in zip(SOURCES, NAMES, strict=True):
        for node in trees()[path].body if path.name == "__init__.py" else ():
            assert isinstance(node, allowed), (
                f"{name}:{node.lineno}: {type(node).__name__} has no place there"
            )


def test_the_tests_of_the_core_use_no_mock() -> None:
    for path in (ROOT / "tests/core").rglob("*.py"):
        assert "unittest.mock" not in path.read_text(encoding="utf-8"), path


def test_every_test_is_named_by_a_sentence() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.M):
            assert name.count("_") >= 2, f"{path.name}: {name} is no sentence"


def test_the_lock_pins_by_hash_and_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|--index|--extra-index|--find-links|file:", lock)
    pins = re.findall(r"^([\w.\[\]-]+==[^\s\\;]+)", lock, re.M)
    assert len(pins) > 20
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_ci_runs_the_two_commands_of_the_readme_and_nothing_softer() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    commands = [line for line in script.splitlines() if line.startswith("make")]
    assert commands == ["make check", "make test"]
    assert "set -euo pipefail" in script
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f'--hypothesis-profile=check -m "{QUICK}"' in makefile
    assert "hypothesis" not in makefile.partition("\ntest:")[2].partition("\n\n")[0], (
        "there, all examples are tried"
    )


def test_every_error_code_is_in_the_published_list() -> None:
    import yaml

    import clearance.errors as errors

    listed = yaml.safe_load((ROOT / "spec/error_codes.yaml").read_text(encoding="utf-8"))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = {kind.code for kind in kinds if hasattr(kind, "code")} - {"clearance_error"}
    raised = set()
    for tree in trees().values():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.keyword)
                and node.arg == "reason"
                and isinstance(node.value, ast.Constant)
            ):
                raised.add(node.value.value)
    assert codes | raised <= set(listed), (codes | raised) - set(listed)
