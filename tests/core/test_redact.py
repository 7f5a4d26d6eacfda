"""What is stored holds no secret, is bounded and is JSON; what runs holds nothing a policy took out."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections import namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.core.model import Transform
from clearance.core.model.patterns import NAMED
from clearance.core.redact import clean_text, restorations, stored, transformed
from clearance.core.redact.text import scrubbed
from clearance.errors import ConfigurationError
from tests.examples import examples

# Put together at run time, so that no scanner takes this file for a leak.
SECRETS = [
    "sk_" + "live_" + "a1B2" * 6,
    "sk-" + "ant-" + "x9Y8" * 6,
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + "a1" * 18,
    "xoxb-" + "1234567890-abcdef",
    "eyJ" + "hbGciOiJI" + ".eyJ" + "zdWIiOiIx" + ".c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMATERIAL\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMATERIAL",
    "://user:" + "hunter2@",
    *(f"{prefix}_0123456789ab_" + "aB3-" * 10 for prefix in ("clr", "cld", "clt", "cls")),
    "Bearer " + "opaque.token/of~20+",
    "Authorization: Basic " + "dXNlcjpodW50ZXIy",
    "password=" + "hunter2",
    "api_key='" + "hunter2 and more" + "'",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


def core_of(secret: str) -> str:
    """The part of a planted secret that must not survive."""
    return "MATERIAL" if "MATERIAL" in secret else "hunter2" if "hunter2" in secret else secret


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value somewhere inside others: under keys, in lists, tuples, sets, bytes and objects."""
    texts = st.text(alphabet='ab -\n"\\é:.,', max_size=6)
    planted = st.tuples(texts, inner, texts).map(lambda parts: f"{parts[0]} {parts[1]} {parts[2]}")
    return st.recursive(
        planted,
        lambda deeper: st.one_of(
            deeper.map(lambda value: [1, value]),
            deeper.map(lambda value: (value,)),
            deeper.map(lambda value: {"note": value, "other": None}),
            deeper.map(lambda value: Holder(value)),
            planted.map(lambda text: {text: 1}),
            planted.map(lambda text: {text}),
            planted.map(lambda text: text.encode()),
        ),
        max_leaves=3,
    )


@dataclasses.dataclass
class Holder:
    held: Any


class Colour(enum.Enum):
    RED = "red"


class Model:
    def model_dump(self) -> dict[str, Any]:
        return {"password": "hunter2", "name": "n"}


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


class Liar:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def test_a_clean_value_is_stored_as_it_is() -> None:
    value = {"a": [1, 2.5, True, None, "text"], "b": {"c": "d"}}
    assert stored(value) is value


@pytest.mark.parametrize("key", ["password", "dbPassword", "API-Key", "Authorization", "x_access_token"])
def test_an_argument_of_a_secrets_name_is_never_stored_whatever_it_holds(key: str) -> None:
    for held in ("plain", 7, None, ["x"], {"y": "z"}, b"raw"):
        (shown,) = stored({"outer": [{key: held}]})["outer"][0].values()
        assert shown.startswith("[redacted:")


def test_the_label_says_which_name_was_met() -> None:
    assert stored({"dbPassword": "x", "n": 1}) == {"dbPassword": "[redacted:password]", "n": 1}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_within_a_text_is_replaced_and_the_rest_is_kept(secret: str) -> None:
    assert stored({"note": f"use {secret} now"})["note"].startswith("use [redacted:secret]")
    assert core_of(secret) not in clean_text(f"failed with {secret}")
    assert core_of(secret) not in str(stored({f"key {secret}": 1}))


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=100",
        "the bearer of bad news",
        "basic internationalization",
        "token = get_token()",
        "secret=",
    ],
)
def test_what_only_looks_like_a_secret_is_kept(text: str) -> None:
    assert stored({"note": text}) == {"note": text}


@given(nested(st.sampled_from(SECRETS)))
@settings(max_examples=examples(150))
def test_no_planted_secret_is_stored_however_deep_it_stands(value: Any) -> None:
    text = encoded(stored(value)).decode()
    for secret in SECRETS:
        assert core_of(secret) not in text


@given(JSON)
def test_what_is_stored_is_json_bounded_and_stable(value: Any) -> None:
    once = stored(value, max_string=128, max_total=512)
    assert len(encoded(once)) <= 512
    assert stored(once, max_string=128, max_total=512) == once


@given(nested(st.sampled_from(SECRETS)))
def test_storing_twice_changes_nothing(value: Any) -> None:
    once = stored(value)
    assert stored(once) == once


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**70, f"<int> {2**70}"),
        (-(2**9_999), "<int of 10000 bits>"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (b"ab\xff", "<bytes> ab\ufffd"),
        (bytearray(b"ab"), "<bytearray> ab"),
        (Colour.RED, "red"),
        (Decimal("1.5"), "<Decimal> 1.5"),
        (PurePosixPath("/a"), "<PurePosixPath> /a"),
        (ValueError("bad"), "<ValueError> bad"),
        (Holder((1, 2)), {"held": [1, 2]}),
        (Transform(policy="p"), {"policy": "p", "paths": [], "patterns": [], "restore": False}),
        (Model(), {"password": "[redacted:password]", "name": "n"}),
        ({1: "a", "1": "b", None: "c"}, {"1": "a", "1#2": "b", "None": "c"}),
        ({"s": {3}}, {"s": [3]}),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        (Hostile(), "<Hostile>"),
        ([Liar()], ["<Liar>"]),
    ],
)
def test_any_value_becomes_json(value: Any, shown: Any) -> None:
    assert stored(value) == shown
    assert stored(shown) == shown


def test_a_long_text_is_cut_and_says_how_much_and_what_it_was() -> None:
    text = "x" * 10_000
    shown = stored(text)
    assert len(shown) <= 8_192
    whole = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert shown == "x" * 8_128 + f"…[cut 1872 bytes, sha256 {whole}]"


def test_a_secret_across_the_cut_leaves_no_half() -> None:
    secret = SECRETS[0]
    for before in range(8_100, 8_200):
        assert secret[:12] not in stored("x" * before + " " + secret + " " + "y" * 500)


def test_deep_and_cyclic_values_end() -> None:
    cycle: list[Any] = []
    cycle.extend([cycle, cycle, {"again": cycle}])
    assert len(encoded(stored(cycle))) <= 65_536
    deep: Any = "end"
    for _ in range(500):
        deep = {"d": deep}
    assert "[cut: too deep]" in encoded(stored(deep)).decode()
    shared: Any = ["x" * 10]
    for _ in range(60):
        shared = [shared, shared]
    assert len(encoded(stored(shared))) <= 65_536


@pytest.mark.parametrize(
    "value",
    [
        ["x"] * 1_000_000,
        {str(number): number for number in range(100_000)},
        [["\x01" * 8_000] * 10] * 10,
        [["y" * 8_000] * 10] * 10,
        "\U0001f600" * 8_192,
        [[[[["z" * 1_000] * 20] * 20] * 20] * 20],
    ],
)
def test_a_huge_value_is_cut_to_the_limit_and_stays_so(value: Any) -> None:
    shown = stored(value)
    assert 1_000 < len(encoded(shown)) <= 65_536
    assert stored(shown) == shown


def test_a_text_without_secrets_is_shown_unchanged() -> None:
    assert clean_text("Policy x refused: 25 records") == "Policy x refused: 25 records"
    assert clean_text("a\0b\ud800") == "a\ufffdb\ufffd"


def redact(
    arguments: dict[str, Any], *paths: str, patterns: tuple[str, ...] = ()
) -> tuple[Any, tuple[str, ...]]:
    return transformed(arguments, [Transform(policy="p", paths=paths, patterns=patterns)])


def test_arguments_without_anything_to_take_out_come_back_as_the_same_object() -> None:
    arguments = {"a": [1, {"b": "text"}], "c": Holder("x"), "d": (1.5, None), "e": b"raw", "f": 2**99}
    same, changed = redact(arguments, "x.y", "a.7", "a.*.z", patterns=("email", "secret", "credit_card"))
    assert same is arguments
    assert changed == ()


def test_values_at_paths_are_replaced_whole_and_reported() -> None:
    arguments = {
        "customer": {"email": "a@b.example", "age": 3},
        "items": [{"note": "n"}, {"note": {"x": 1}}, 5],
    }
    made, changed = redact(arguments, "customer.email", "items.*.note", "items.2")
    assert made == {
        "customer": {"email": "[redacted]", "age": 3},
        "items": [{"note": "[redacted]"}, {"note": "[redacted]"}, "[redacted]"],
    }
    assert changed == ("customer.email", "items.0.note", "items.1.note", "items.2")
    assert arguments["customer"]["email"] == "a@b.example"
    assert redact(made, "customer.email", "items.*.note")[1] == ()


def test_a_path_reaches_into_objects_tuples_and_dotted_keys() -> None:
    made, changed = redact({"h": Holder({"k": 1}), "t": ("a", "b"), "x.y": 1}, "h.held.k", "t.1", "x.y")
    assert made == {"h": {"held": {"k": "[redacted]"}}, "t": ("a", "[redacted]"), "x.y": "[redacted]"}
    assert set(changed) == {"h.held.k", "t.1", "x.y"}


def test_patterns_are_replaced_in_texts_keys_numbers_and_bytes() -> None:
    made, changed = redact(
        {"to ann@a.example": 1, "n": 4111111111111111, "b": b"mail ann@a.example", "t": ("x ann@a.example",)},
        patterns=("email", "credit_card"),
    )
    assert made == {
        "to [redacted:email]": 1,
        "n": "[redacted:credit_card]",
        "b": b"mail [redacted:email]",
        "t": ("x [redacted:email]",),
    }
    assert changed == ("", "n", "b", "t.0")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4111 1111 1111 1111.", "card [redacted:credit_card]."),
        ("4111-1111-1111-1111", "[redacted:credit_card]"),
        ("5500005555555559 and 378282246310005", "[redacted:credit_card] and [redacted:credit_card]"),
        ("12 4111 1111 1111 1111 99", "12 [redacted:credit_card] 99"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("order 1234567890123", "order 1234567890123"),
        ("1" * 40, "1" * 40),
    ],
)
def test_only_numbers_that_pass_the_check_digit_are_cards(text: str, shown: str) -> None:
    assert redact({"t": text}, patterns=("credit_card",))[0] == {"t": shown}


@given(nested(st.sampled_from(SECRETS)))
@settings(max_examples=examples(150))
def test_no_secret_stays_in_what_runs_however_deep_it_stands(value: Any) -> None:
    made, changed = redact({"value": value}, patterns=("secret",))
    assert changed
    for secret in SECRETS:
        assert core_of(secret) not in repr(made)
    assert redact(made, patterns=("secret",)) == (made, ())


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_taking_out_twice_changes_nothing_more(arguments: dict[str, Any]) -> None:
    made, _ = redact(arguments, "a", "b.*", patterns=("secret", "email", "iban", "credit_card", "ipv4"))
    again, changed = redact(made, "a", "b.*", patterns=("secret", "email", "iban", "credit_card", "ipv4"))
    assert again is made
    assert changed == ()


def test_what_is_too_deep_or_cyclic_to_look_into_is_taken_out_and_reported() -> None:
    cycle: dict[str, Any] = {"n": 1}
    cycle["self"] = cycle
    assert redact(cycle, patterns=("email",)) == ({"n": 1, "self": "[redacted:too_deep]"}, ("self",))
    deep: Any = "ann@a.example"
    for _ in range(200):
        deep = [deep]
    made, changed = redact({"d": deep}, patterns=("email",))
    assert "ann" not in repr(made)
    assert len(changed) == 1


def test_a_named_tuple_with_something_to_take_out_becomes_its_fields_or_a_list() -> None:
    point = namedtuple("point", "x y")("ann@a.example", 1)
    made, changed = redact({"p": point}, patterns=("email",))
    assert "ann" not in repr(made)
    assert changed == ("p.0",)


def test_a_pattern_that_nobody_defined_refuses() -> None:
    with pytest.raises(ConfigurationError, match="nobody_knows"):
        redact({}, patterns=("nobody_knows",))


RESTORED = Transform(policy="p", patterns=("email", "credit_card"), restore=True)


def test_a_placeholder_stands_for_each_value_and_says_which_it_was() -> None:
    asked = {"messages": ["ann@a.example, bob@b.example", {"to": "ann@a.example"}], "n": 1}
    kept, changed = transformed(asked, [RESTORED])
    assert kept == {"messages": ["[email:1], [email:2]", {"to": "[email:1]"}], "n": 1}
    assert changed == ("messages.0", "messages.1.to")
    assert restorations(asked, [RESTORED]) == {"[email:1]": "ann@a.example", "[email:2]": "bob@b.example"}


def test_a_placeholder_is_none_that_the_text_says_already() -> None:
    asked = {"a": "ann@a.example", "b": "[email:1] and [email:3], bob@b.example and cid@c.example"}
    kept, _ = transformed(asked, [RESTORED])
    assert kept == {"a": "[email:2]", "b": "[email:1] and [email:3], [email:4] and [email:5]"}
    assert set(restorations(asked, [RESTORED])) == {"[email:2]", "[email:4]", "[email:5]"}


def test_a_conversation_that_grows_keeps_its_placeholders() -> None:
    first = {"messages": ["ann@a.example", "bob@b.example"]}
    longer = {"messages": [*first["messages"], "cid@c.example", "ann@a.example"]}
    assert transformed(longer, [RESTORED])[0]["messages"][:2] == transformed(first, [RESTORED])[0]["messages"]


def test_what_another_policy_takes_out_for_good_is_not_put_back() -> None:
    gone = Transform(policy="q", patterns=("email",))
    kept, _ = transformed({"a": "ann@a.example 4111 1111 1111 1111"}, [RESTORED, gone])
    assert kept == {"a": "[redacted:email] [credit_card:1]"}
    assert restorations({"a": "ann@a.example"}, [RESTORED, gone]) == {}


@given(
    st.lists(st.sampled_from(["ann@a.example", "4111111111111111", "[email:1]", "10.0.0.1", " ", "x", "@"]))
)
def test_a_text_with_its_values_put_back_is_the_text_it_was(parts: list[str]) -> None:
    transform = Transform(policy="p", patterns=tuple(NAMED), restore=True)
    asked = {"a": " ".join(parts)}
    kept, _ = transformed(asked, [transform])
    text = kept["a"]
    assert scrubbed(text, tuple(NAMED)) == text, "something is left that a pattern finds"
    for placeholder, value in restorations(asked, [transform]).items():
        text = text.replace(placeholder, value)
    assert text == asked["a"]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "sk-" + "a" * 24,
                    "password=hunter22",
                    "-----BEGIN PRIVATE KEY-----\nx",
                    "ann@b.example",
                    "4111 1111 1111 1111",
                ]
            ),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
            st.integers(0, 999),
        ),
        max_size=6,
    ),
    st.sampled_from([("secret",), ("email",), ("credit_card", "secret")]),
)
def test_one_search_over_all_texts_misses_nothing(values: list[Any], names: tuple[str, ...]) -> None:
    whole, _ = transformed(
        {"values": values, "deep": [{"a": values}]}, [Transform(policy="p", patterns=names)]
    )
    ordered = [name for name in NAMED if name in names]
    one_by_one = [scrubbed(value, ordered) if isinstance(value, str) else value for value in values]
    assert whole["values"] == one_by_one
    assert whole["deep"][0]["a"] == one_by_one


def test_a_key_that_only_equals_a_known_one_is_written_as_text() -> None:
    class Lookalike(str):
        __slots__ = ()

    assert stored({"subject": "seen before"}) == {"subject": "seen before"}
    made = stored({Lookalike("subject"): 1})
    assert [type(key) for key in made] == [str]


def test_a_long_text_is_cut_and_a_secret_in_or_beside_it_taken_out() -> None:
    for value in ({"text": "x " * 9_000, "note": SECRETS[0]}, {"text": "x " * 9_000 + SECRETS[0]}):
        kept = msgspec.json.encode(stored(value)).decode()
        assert "[cut " in kept
        assert SECRETS[0] not in kept
