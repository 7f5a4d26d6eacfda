"""Past the model proxy in an answer of one piece: calls where nobody looks for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.bypass.scene import (
    ASKING,
    CALL,
    CHAT,
    FUNCTION,
    MESSAGES,
    PLANTED,
    RESPONSES,
    USE,
    Scene,
)
from tests.servers.model import Turn

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]


def chat(message: dict[str, Any], **choice: Any) -> bytes:
    inside = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": "stop",
    }
    return json.dumps({"id": "c1", "object": "chat.completion", "choices": [{**inside, **choice}]}).encode()


NESTED = json.dumps(CALL)
HIDDEN_CHATS: dict[str, bytes] = {
    "the old form": chat({"function_call": FUNCTION}),
    "both forms": chat({"function_call": FUNCTION, "tool_calls": [CALL]}),
    "a custom tool": chat(
        {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "wipe_disk", "input": PLANTED}}]}
    ),
    "no type": chat({"tool_calls": [{"id": "a", "function": FUNCTION}]}),
    "an unknown type": chat({"tool_calls": [{"id": "a", "type": "telepathy", "function": FUNCTION}]}),
    "a type of another form": chat({"tool_calls": [{"id": "a", "type": "custom", "function": FUNCTION}]}),
    "both kinds in one": chat({"tool_calls": [{**CALL, "custom": {"name": "wipe_disk", "input": PLANTED}}]}),
    "a call that is no object": chat({"tool_calls": [NESTED]}),
    "calls that are an object": chat({"tool_calls": CALL}),
    "another case": chat({"Tool_Calls": [CALL]}),
    "another case of a call": chat({"tool_calls": [{"id": "a", "type": "function", "Function": FUNCTION}]}),
    "another case of a choice": chat({}, Message={"tool_calls": [CALL]}),
    "a long s": chat({"tool_call\u017f": [CALL]}),
    "twice": chat({"tool_calls": [CALL]}).replace(b'"tool_calls"', b'"tool_calls":[],"tool_calls"'),
    "twice, the harmless last": chat({}).replace(
        b'"content": null', b'"tool_calls":[%b],"tool_calls":[]' % NESTED.encode()
    ),
    "twice, by an escape": chat({}).replace(
        b'"content": null', b'"tool_calls":[%b],"tool\\u005fcalls":[]' % NESTED.encode()
    ),
    "a second choice": json.dumps(
        {
            "choices": [
                {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"},
                {"index": 0, "message": {"content": "a", "tool_calls": [CALL]}, "finish_reason": "stop"},
            ]
        }
    ).encode(),
    "choices twice": b'{"choices":[{"index":0,"message":{"tool_calls":[%b]}}],"choices":[]}'
    % NESTED.encode(),
    "no choices": json.dumps({"choices": {"0": {"message": {"tool_calls": [CALL]}}}}).encode(),
    "arguments that are an object": chat(
        {"tool_calls": [{**CALL, "function": {"name": "wipe_disk", "arguments": {"path": PLANTED}}}]}
    ),
}
NAMES = ("wipe_disk", "Wipe_Disk", "wipeDisk", "wipe-disk", "WIPE_DISK", "wipe_disk ", " wipe_disk",
         "wipe\u200b_disk", "\uff57ipe_disk", "wipe_d\u0456sk", "functions.wipe_disk", "wipe_disk\u0000",
         "wipe_disk\n", "", "x" * 300)  # fmt: skip


def test_no_call_hides_in_a_chat(scene: Scene) -> None:
    for name, answer in HIDDEN_CHATS.items():
        scene.model.say(Turn(raw=answer))
        got = scene.post(CHAT, ASKING[CHAT])
        assert PLANTED not in got.text, (name, got.text)
        assert got.status_code in (200, 502), (name, got.text)


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_by_another_spelling_is_refused_whole_and_streamed(scene: Scene, name: str) -> None:
    for path in ASKING:
        for stream in (False, True):
            scene.model.say(Turn(tool_calls=[(name, {"path": PLANTED})]))
            got = scene.post(path, {**ASKING[path], "stream": stream})
            assert PLANTED not in got.text, (path, stream, got.text)


def response(*items: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(
        {"id": "r1", "object": "response", "status": "completed", "output": items, **more}
    ).encode()


HIDDEN_RESPONSES: dict[str, bytes] = {
    "a function": response({"type": "function_call", "call_id": "a", **FUNCTION}),
    "no type": response({"call_id": "a", **FUNCTION}),
    "a type of another case": response({"type": "Function_Call", "call_id": "a", **FUNCTION}),
    "a custom tool": response(
        {"type": "custom_tool_call", "call_id": "a", "name": "wipe_disk", "input": PLANTED}
    ),
    "a shell": response({"type": "local_shell_call", "call_id": "a", "action": {"command": [PLANTED]}}),
    "the newer shell": response({"type": "shell_call", "call_id": "a", "action": {"commands": [PLANTED]}}),
    "a patch": response({"type": "apply_patch_call", "call_id": "a", "operation": {"diff": PLANTED}}),
    "a computer": response(
        {"type": "computer_call", "call_id": "a", "action": {"type": "type", "text": PLANTED}}
    ),
    "a batch for a computer": response(
        {"type": "computer_call", "call_id": "a", "actions": [{"type": "type", "text": PLANTED}]}
    ),
    "an approval": response({"type": "mcp_approval_request", "id": "a", "name": "x", "arguments": PLANTED}),
    "an unknown item": response({"type": "telepathy_call", "id": "a", "arguments": PLANTED}),
    "another case": response(Output=[{"type": "function_call", "call_id": "a", **FUNCTION}]),
    "twice": b'{"output":[{"type":"function_call","name":"wipe_disk","arguments":"%b"}],"output":[]}'
    % PLANTED.encode(),
}


def test_no_call_hides_in_a_response(scene: Scene) -> None:
    for name, answer in HIDDEN_RESPONSES.items():
        scene.model.say(Turn(raw=answer))
        got = scene.post(RESPONSES, ASKING[RESPONSES])
        assert PLANTED not in got.text, (name, got.text)
        assert got.status_code in (200, 502), (name, got.text)


def message(*blocks: dict[str, Any], **more: Any) -> bytes:
    fixed = {"id": "m1", "type": "message", "role": "assistant", "stop_reason": "tool_use"}
    return json.dumps({**fixed, "content": blocks, **more}).encode()


HIDDEN_MESSAGES: dict[str, bytes] = {
    "a use": message(USE),
    "a use by a program": message({**USE, "caller": {"type": "code_execution_20250825", "tool_id": "x"}}),
    "no type": message({key: value for key, value in USE.items() if key != "type"}),
    "a type of another case": message({**USE, "type": "Tool_Use"}),
    "an unknown block": message({**USE, "type": "telepathy_use"}),
    "another case": message(Content=[USE]),
    "another case of a block": message({"type": "text", "text": "a", "Type": "tool_use", "Input": PLANTED}),
    "twice": b'{"content":[%b],"content":[]}' % json.dumps(USE).encode(),
    "a type twice": message(USE).replace(b'"type": "tool_use"', b'"type": "tool_use", "type": "text"'),
}


def test_no_call_hides_in_a_message(scene: Scene) -> None:
    for name, answer in HIDDEN_MESSAGES.items():
        scene.model.say(Turn(raw=answer))
        got = scene.post(MESSAGES, ASKING[MESSAGES])
        assert PLANTED not in got.text, (name, got.text)
        assert got.status_code in (200, 502), (name, got.text)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"path":"a","path":"b"}',
        '{"path":{"a":1,"a":2}}',
        '{"path":"a","p\\u0061th":"b"}',
        '{"path":NaN}',
        '{"path":"\\ud800"}',
        '{"path":"a"} {"path":"b"}',
        '{"path":"a"}//',
        "['a']",
        "null",
        '"a"',
        " ",
        '{"path":' + "[" * 3000 + "]" * 3000 + "}",
        "\ufeff{}",
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, RESPONSES])
def test_arguments_that_two_readers_read_differently_leave_no_door(
    scene: Scene, path: str, stream: bool, arguments: str
) -> None:
    scene.model.say(Turn(tool_calls=[("read_file", arguments)]))
    got = scene.post(path, {**ASKING[path], "stream": stream})
    assert got.status_code == 200
    assert "read_file" not in got.text, got.text
    assert "Clearance refused" in got.text


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "text/html"},
        {"content-type": "Text/Event-Stream"},
        {"content-type": "application/octet-stream"},
        {"content-encoding": "gzip"},
        {"content-encoding": "br"},
        {"content-encoding": "identity, gzip"},
    ],
)
def test_an_answer_that_claims_to_be_something_else_is_judged_or_not_shown(
    scene: Scene, headers: dict[str, str]
) -> None:
    for path, answer in (
        (CHAT, HIDDEN_CHATS["the old form"]),
        (RESPONSES, HIDDEN_RESPONSES["a function"]),
        (MESSAGES, HIDDEN_MESSAGES["a use"]),
    ):
        for stream in (False, True):
            scene.model.say(Turn(raw=answer, headers=headers))
            assert PLANTED not in scene.post(path, {**ASKING[path], "stream": stream}).text


IBAN = "DE89370400440532013000"
REPEATED: dict[str, tuple[str, bytes]] = {
    "probabilities": (
        CHAT,
        chat({"content": f"Pay {IBAN}."}, logprobs={"content": [{"token": IBAN, "logprob": -0.1}]}),
    ),
    "probabilities of a part": (
        RESPONSES,
        response(
            {
                "type": "message",
                "content": [{"type": "output_text", "text": f"Pay {IBAN}.", "logprobs": [{"token": IBAN}]}],
            }
        ),
    ),
    "speech": (CHAT, chat({"audio": {"data": IBAN, "transcript": f"Pay {IBAN}."}})),
    "reasoning": (CHAT, chat({"reasoning": IBAN, "reasoning_content": IBAN})),
    "details of reasoning": (CHAT, chat({"reasoning_details": [{"text": IBAN}]})),
    "an annotation": (CHAT, chat({"annotations": [{"url_citation": {"title": IBAN}}]})),
    "what a provider's tool gave": (RESPONSES, response({"type": "mcp_call", "id": "a", "output": IBAN})),
    "code that ran": (RESPONSES, response({"type": "code_interpreter_call", "code": IBAN})),
    "instructions": (RESPONSES, response(instructions=IBAN)),
    "thinking": (MESSAGES, message({"type": "thinking", "thinking": IBAN, "signature": "x"})),
    "a tool's result": (MESSAGES, message({"type": "web_search_tool_result", "content": [{"title": IBAN}]})),
    "a citation": (MESSAGES, message({"type": "text", "text": "a", "citations": [{"cited_text": IBAN}]})),
}


@pytest.mark.parametrize("name", REPEATED)
def test_what_a_policy_takes_out_is_repeated_nowhere_in_the_answer(scene: Scene, name: str) -> None:
    path, answer = REPEATED[name]
    rule = {"name": "ibans", "rule": "redact", "at": "post_model_call", "redact": {"patterns": ["iban"]}}
    with scene.server.http(admin=True) as admin:
        assert admin.post("/v1/policies", json=rule).status_code == 201
        try:
            scene.model.say(Turn(raw=answer))
            got = scene.post(path, ASKING[path])
        finally:
            admin.delete("/v1/policies/ibans")
    assert IBAN not in got.text, got.text
    assert got.status_code == (502 if name == "speech" else 200), got.text
