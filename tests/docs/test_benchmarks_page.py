"""The benchmarks page shows the results file, and the results file has the published form."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pytest

from benchmarks import claims
from benchmarks.harness import Result, Server, at_least, at_most, beats_peer, page
from benchmarks.harness.result import Target, at_least_times, claim_of, read_rows
from benchmarks.harness.side import Field, Gateway

KEYS = {"claim", "ours", "peer", "peer_name", "unit", "ratio", "target", "met", "conditions"}
CLAIMS = sorted(module.name for module in pkgutil.iter_modules(claims.__path__))


def test_the_page_shows_the_results_file_and_nothing_else() -> None:
    assert page.published() == page.markdown(read_rows())


def test_every_row_has_the_published_form() -> None:
    for row in read_rows():
        assert set(row) == KEYS, row["claim"]
        assert (row["target"] is None) == (row["met"] is None), row["claim"]
        assert (row["peer"] is None) == (row["peer_name"] == ""), row["claim"]


def test_every_claim_was_measured() -> None:
    assert sorted({claim_of(row) for row in read_rows()}) == CLAIMS


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_says_what_it_claims_and_can_be_measured(name: str) -> None:
    claim = importlib.import_module(f"benchmarks.claims.{name}")
    assert claim.__doc__
    assert callable(claim.measure)


@pytest.mark.parametrize(("higher_is_better", "ratio"), [(False, 4.0), (True, 0.25)])
def test_the_ratio_says_how_many_times_better_ours_is(higher_is_better: bool, ratio: float) -> None:
    result = Result(claim="c/x", ours=1.0, peer=4.0, unit="u", higher_is_better=higher_is_better)
    assert result.ratio == ratio


@pytest.mark.parametrize(
    ("target", "ours", "met"),
    [
        (at_most(25), 25.0, True),
        (at_most(25), 25.1, False),
        (at_least(3_000), 2_999.0, False),
        (beats_peer(), 9.9, True),
        (beats_peer(), 10.0, False),
        (beats_peer(higher_is_better=True), 10.1, True),
        (at_least_times(0.8), 8.0, True),
        (at_least_times(2), 19.9, False),
        (None, 1.0, None),
    ],
)
def test_a_target_is_met_or_missed_by_the_figures_alone(target: object, ours: float, met: bool) -> None:
    assert Result(claim="c/x", ours=ours, peer=10.0, unit="u", target=target).met is met  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [beats_peer(), at_least_times(2)])
def test_a_target_against_a_peer_is_missed_where_there_is_none(target: Target) -> None:
    assert Result(claim="c/x", ours=1.0, unit="u", target=target).met is False


def test_a_peer_that_was_left_out_is_told_below_the_table() -> None:
    left_out = Result(claim="c/x", ours=1.0, unit="u", conditions={"note": "it did not start"})
    measured = Result(claim="c/y", ours=1.0, peer=2.0, peer_name="peer 1.0", unit="u")
    section = page.markdown([left_out.row({}), measured.row({})])
    assert "Peer: peer 1.0." in section
    assert section.endswith("Not measured: it did not start.")


def test_a_peer_that_does_not_start_is_left_out_and_its_row_says_so(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, ExitStack() as stack:
        field = Field(_Bench(log), stack, tmp_path)  # type: ignore[arg-type]
        field.start("peer", lambda: Gateway("peer 1.0", ("false",)), body="{}")
        assert field.measured("peer", "anything", lambda _: {"rate": 1.0}) == {}
        row = field.beside("peer", "c/x", (2.0, None), unit="req/s", conditions={})
    assert (row.peer, row.peer_name, row.conditions) == (None, "", {"note": "peer did not start"})


def test_our_own_side_is_never_left_out(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, ExitStack() as stack, pytest.raises(RuntimeError):
        Field(_Bench(log), stack, tmp_path).start(  # type: ignore[arg-type]
            "ours", lambda: Gateway("clearance", ("false",)), body="{}"
        )


class _Bench:
    def __init__(self, log: TextIO) -> None:
        self._log = log

    def say(self, text: str) -> None:
        self._log.write(text)

    def pinned(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> Server:
        return Server(command, environment, self._log, directory=directory)
