"""Recipients that stand for many: their number cannot be known. Those of a raw message are read."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from clearance.core.enrich import derive_facts
from clearance.core.model import ActionCall, Context, Principal
from clearance.core.normalize import normalize

CONTEXT = Context(run_id="r", action_id="a", at=datetime(2026, 1, 1, tzinfo=UTC))
MAIL = b'To: "Doe, Jane" <j@b.example>,\r\n k@b.example\r\nBcc: spy@c.example\r\n\r\nTo: x@y.example'


def read(name: str, arguments: dict[str, Any]) -> tuple[list[str], Any]:
    call = ActionCall(action=name, arguments=arguments)
    request = normalize(call, principal=Principal(agent="x"), context=CONTEXT, tools={})
    count = derive_facts(request, call=call, tools={})["recipient_count"].value
    return [resource.id for resource in request.resources], count


@pytest.mark.parametrize(
    "recipient",
    [
        "@channel",
        "@here",
        "@Everyone",
        "#general",
        "<!channel>",
        "<!subteam^S012>",
        "all@a.example",
        "ALL@A.example",
        "Everyone <everyone@a.example>",
        "undisclosed-recipients:;",
        "Friends:;",
        "{{customers}}",
        "${CUSTOMERS}",
        "*|EMAIL|*",
        ["ann@a.example", "all-hands@a.example"],
        [{"email": "{{email}}"}],
    ],
)
def test_a_recipient_that_stands_for_many_has_no_number(recipient: Any) -> None:
    assert read("send_message", {"to": recipient, "body": "x"})[1] is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("send_email", {"list_id": "L1", "body": "x"}),
        ("send_email", {"segment_ids": ["S1", "S2"], "to": "a@b.example"}),
        ("send_campaign", {"campaign_id": 7}),
        ("post_message", {"channel": "C012", "text": "x"}),
        ("send_email", {"audience": {"country": "FR"}}),
    ],
)
def test_an_identifier_of_a_group_is_a_recipient_without_a_number(name: str, arguments: Any) -> None:
    resources, count = read(name, arguments)
    assert count is None
    assert any(each.startswith(("recipient:", "channel:")) for each in resources)


@pytest.mark.parametrize(
    ("recipient", "count"),
    [
        ("Ann@a.example, ann@A.example; bob@b.example", 2),
        ('"Doe, Jane; Dr." <j@b.example>, k@b.example', 2),
        ("allan@a.example", 1),
        ("@julia", 1),
        ("staffing@a.example", 1),
    ],
)
def test_single_recipients_keep_their_number_each_address_once(recipient: str, count: int) -> None:
    assert read("send_email", {"to": recipient, "body": "x"})[1] == count


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize(
    "wrap", [lambda raw: {"raw": raw}, lambda raw: {"message": {"raw": raw.rstrip("=")}}]
)
def test_the_recipients_of_a_raw_message_are_those_of_its_headers(encode: Any, wrap: Any) -> None:
    resources, count = read("gmail_send_message", wrap(encode(MAIL).decode()))
    assert resources == ["email:j@b.example", "email:k@b.example", "email:spy@c.example"]
    assert count == 3


def test_a_list_in_a_raw_message_has_no_number() -> None:
    raw = b64encode(b"To: undisclosed-recipients:;\r\n\r\nx").decode()
    assert read("send_email", {"raw": raw})[1] is None


@pytest.mark.parametrize("raw", ["%%%", "\u00e4", b64encode(b"no header at all").decode()])
def test_a_raw_message_that_cannot_be_read_may_go_to_anybody(raw: str) -> None:
    assert read("send_email", {"raw": raw}) == (["recipient:<unreadable>"], None)


def test_two_spellings_of_an_address_are_both_shown_to_a_policy() -> None:
    resources, _ = read("send_email", {"to": ["BOB@b.example", "bob@b.example"]})
    assert resources == ["email:BOB@b.example", "email:bob@b.example"]
