"""Every page is executed or link-checked: Python blocks run, YAML loads, links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from clearance.sdk.guard import default_client
from tests.conftest import Server

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("spec/*.md"),
        *ROOT.glob("examples/**/*.md"),
    )
)
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """(the rest of the fence's line, the code) of every block of a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(rest.strip(), code) for name, rest, code in FENCE.findall(text) if name == language]


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in LINK.findall(FENCE.sub("", text)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page} links to {target}, which is not there"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {slug(heading) for heading in headings}, f"{page}: no heading for #{anchor}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_every_python_block_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    for rest, code in blocks(page, "python"):
        if rest == "server":
            code = code.replace("your_api_key", server.agent_key).replace("your_token", server.admin_key)
            code = code.replace("http://127.0.0.1:8700", server.url)
        exec(compile(code, page, "exec"), namespace)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")])
def test_every_yaml_block_of_a_page_is_yaml(page: str) -> None:
    for _, code in blocks(page, "yaml"):
        list(yaml.safe_load_all(code))


def test_every_page_is_reached_from_the_index_once() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    for page in PAGES:
        if page.startswith("docs/") and "decisions/" not in page and page != "docs/README.md":
            times = index.count(f"]({page.removeprefix('docs/')})")
            assert times == 1, f"docs/README.md leads to {page} {times} times"


def test_the_map_of_the_tree_names_every_package() -> None:
    tree = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Which way")[0]
    source = ROOT / "src/clearance"
    packages = {file.parent.name for file in (*source.glob("*/__init__.py"), *source.glob("*/*/__init__.py"))}
    assert {name for name in packages if f"{name}/" not in tree} == set()


def test_every_decision_is_reached_from_the_architecture_once() -> None:
    listed = LINK.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    decisions = sorted(page for page in PAGES if page.startswith("docs/decisions/"))
    assert [target for target in listed if target.startswith("docs/decisions/")] == decisions


@pytest.fixture(autouse=True)
def _no_client_left_over() -> Iterator[None]:
    yield
    default_client.cache_clear()
