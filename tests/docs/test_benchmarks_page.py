"""The benchmarks page shows the results file, and the results file has the published form."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from benchmarks import claims
from benchmarks.harness import Result, at_least, at_most, beats_peer, page
from benchmarks.harness.result import claim_of, read_rows

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
        (None, 1.0, None),
    ],
)
def test_a_target_is_met_or_missed_by_the_figures_alone(target: object, ours: float, met: bool) -> None:
    assert Result(claim="c/x", ours=ours, peer=10.0, unit="u", target=target).met is met  # type: ignore[arg-type]


def test_a_target_against_a_peer_is_missed_where_there_is_none() -> None:
    assert Result(claim="c/x", ours=1.0, unit="u", target=beats_peer()).met is False
