"""The page of metrics: what a running server tells is on it, and its alerts ask for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from clearance.core.model import ReasonCode
from tests.conftest import Server

pytestmark = pytest.mark.servers
PAGE = (Path(__file__).parents[2] / "docs/operating/metrics.md").read_text(encoding="utf-8")
ROWS = {
    name: frozenset(re.findall(r"`(\w+)`", labels))
    for name, labels in re.findall(r"^\| `(clearance_\w+)` \| (.*?) \|", PAGE, re.M)
}
RULES = next(
    group["rules"]
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    for group in yaml.safe_load(block).get("groups", ())
)
OF_A_HISTOGRAM = re.compile(r"_(bucket|count|sum)$")


@pytest.fixture(scope="module")
def told(server: Server) -> dict[str, str]:
    """Every metric of ours that the server knows, and its kind."""
    with server.http(admin=True) as http:
        families = text_string_to_metric_families(http.get("/metrics").text)
        return {
            f"{family.name}_total" if family.type == "counter" else family.name: family.type
            for family in families
            if family.name.startswith("clearance_")
        }


def test_every_metric_is_on_the_page_and_no_other(told: dict[str, str]) -> None:
    assert sorted(told) == sorted(ROWS)


def test_the_labels_are_those_of_the_server(server: Server) -> None:
    with server.http() as http:
        http.post("/v1/actions", json={"action": "read", "resource": "sandbox.x"})
    with server.http(admin=True) as http:
        families = list(text_string_to_metric_families(http.get("/metrics").text))
    for sample in (sample for family in families for sample in family.samples):
        name = sample.name if sample.name in ROWS else OF_A_HISTOGRAM.sub("", sample.name)
        if name in ROWS:
            assert set(sample.labels) - {"le"} == ROWS[name], sample.name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_what_there_is(rule: dict[str, str], told: dict[str, str]) -> None:
    asked = re.findall(r"(clearance_\w+)(?:\{(.*?)\})?", rule["expr"])
    assert asked or "up{" in rule["expr"]
    for name, selected in asked:
        known = name if name in told else OF_A_HISTOGRAM.sub("", name)
        assert known in told, name
        assert set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", selected)) <= ROWS[known]
        for reason in re.findall(r'reason="(\w+)"', selected):
            assert reason in {code.value for code in ReasonCode}
