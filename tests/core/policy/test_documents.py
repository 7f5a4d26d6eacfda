"""What is written about the language holds: every example loads, every code is listed."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from clearance.core.model import ReasonCode
from clearance.core.policy import CaseEffect, CaseOutcome, ProblemCode, json_schema, run_cases
from clearance.core.policy.vocabulary import ALIASES, ATTRIBUTES, BUILT_IN_FACTS, STRUCTURAL, SUFFIXES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "policy-language.md").read_text()
SPEC = (ROOT / "spec" / "policy.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0])
def test_every_example_of_the_page_loads_and_is_valid(block, compiled):
    if block.startswith("tests:"):
        assert run_cases(block, "page", decide=lambda *_: CaseOutcome(effect=CaseEffect.ALLOW))
        return
    policies = compiled(block)
    assert policies.policies
    VALIDATOR.validate(yaml.safe_load(block))


def test_the_examples_load_together_with_their_tools_and_roles(compiled):
    unbound = [block for block in BLOCKS if not block.startswith(("tests:", "tools:", "roles:"))]
    assert len(compiled(*unbound).policies) > 10


def test_the_page_names_every_word_of_the_language():
    words = [*ATTRIBUTES, *STRUCTURAL, *BUILT_IN_FACTS, *ALIASES, *(f"_{suffix}" for suffix in SUFFIXES)]
    assert [word for word in words if f"`{word}`" not in PAGE and f"{word}:" not in PAGE] == []


def test_the_clauses_are_numbered_without_gaps():
    numbers = [int(number) for number in re.findall(r"^- \*\*P(\d+)\*\*", SPEC, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_problem_code_is_listed_and_no_other():
    listed = re.findall(r"^\| `(\w+)` \|", SPEC, re.MULTILINE)
    assert listed == [code.value for code in ProblemCode]


def test_every_reason_code_has_a_meaning_and_says_what_to_do():
    listed = yaml.safe_load((ROOT / "spec" / "reason_codes.yaml").read_text())
    assert list(listed) == [code.value for code in ReasonCode]
    for code, entry in listed.items():
        assert set(entry) == {"meaning", "do"}, code
        assert all(isinstance(text, str) and text.endswith(".") for text in entry.values()), code
