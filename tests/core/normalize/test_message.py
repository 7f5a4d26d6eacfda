"""Recipients: one resource each, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.normalize import UNREADABLE, read_recipients
from clearance.core.normalize.message import read_addresses


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("ann@Example.COM", ["email:ann@example.com"]),
        (["a@b.example", "c@d.example"], ["email:a@b.example", "email:c@d.example"]),
        (
            "a@b.example, c@d.example; e@f.example",
            ["email:a@b.example", "email:c@d.example", "email:e@f.example"],
        ),
        ("Ann <a@b.example>", ["email:a@b.example"]),
        ('"Doe, Jane" <j@b.example>, c@d.example', ["email:j@b.example", "email:c@d.example"]),
        ("mailto:a@b.example?subject=x", ["email:a@b.example"]),
        ("a@b.example\nc@d.example", ["email:a@b.example", "email:c@d.example"]),
        ('"a@evil.example" <b@c.example>', ["email:b@c.example", "email:a@evil.example"]),
        ('"x y"@evil.example', ["email:@evil.example"]),
        ("a@b@evil.example", ["email:a@b@evil.example"]),
        ("a@münchen.example", ["email:a@xn--mnchen-3ya.example"]),
        ("#general", ["channel:general"]),
        ("@julia", ["recipient:@julia"]),
        ("GB29NWBK60161331926819", ["recipient:GB29NWBK60161331926819"]),
        ("ann, b@c.example", ["recipient:ann", "email:b@c.example"]),
        ([{"email": "a@b.example"}, {"name": "Ann"}], ["email:a@b.example", "recipient:Ann"]),
        ({"address": ["a@b.example"]}, ["email:a@b.example"]),
        (
            [{"to": [{"email": "a@b.example"}], "bcc": ["c@d.example"]}, {"to": "e@f.example"}],
            ["email:a@b.example", "email:c@d.example", "email:e@f.example"],
        ),
        ([{"emailAddress": {"address": "a@b.example"}}], ["email:a@b.example"]),
        ({"email": None}, [f"recipient:{UNREADABLE}"]),
        ([7], ["recipient:7"]),
        ([], []),
        (None, []),
        ("", []),
        ([object()], [f"recipient:{UNREADABLE}"]),
        ({"x": 1}, [f"recipient:{UNREADABLE}"]),
        ([[[[[["a@b.example"]]]]]], [f"recipient:{UNREADABLE}"]),
        ("x" * 600, [f"recipient:{UNREADABLE}"]),
    ],
)
def test_every_recipient_is_a_resource_of_its_own(value: object, ids: list[str]) -> None:
    assert [resource.id for resource in read_recipients(value)] == ids


@given(
    st.lists(
        st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True), min_size=1, max_size=6, unique=True
    ),
    st.sampled_from([", ", ";", "\n", " , ", ",,"]),
)
def test_no_address_is_lost_whatever_separates_them(addresses: list[str], separator: str) -> None:
    text = separator.join(f"Name <{address}>" for address in addresses)
    assert [resource.name for resource in read_recipients(text)] == addresses


def test_ten_thousand_recipients_are_listed_and_every_one_is_counted() -> None:
    found = read_recipients(",".join(f"u{number}@a.example" for number in range(12_345)))
    assert len(found) == 10_001
    assert sum(resource.attributes.get("count", 1) for resource in found) == 12_345


def test_an_argument_that_may_hold_other_things_gives_addresses_only() -> None:
    assert [resource.id for resource in read_addresses("12 Main Street, a@b.example")] == [
        "email:a@b.example"
    ]
