"""Past the MCP proxy: calls by other names, in other forms, in other sessions; over HTTP and over stdio."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.acceptance.bypass.scene import Scene, call, opened

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
DELETE = {"path": "/planted"}
MODERN = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/call"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("mcp")) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_deleted(scene: Scene) -> Iterator[None]:
    """Whatever a test says, the tool that is blocked never ran."""
    yield
    assert not [one for one in scene.tools.calls if "delete_file" in one or "planted" in one]


def modern(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return call(name, arguments, params={"name": name, "arguments": arguments or {}, "_meta": META}, **more)


def test_the_scene_runs_what_is_allowed(scene: Scene) -> None:
    """Else what follows would pass with a server that is down."""
    assert "said aloud" in scene.mcp(call("echo", {"text": "said aloud"})).text
    assert "said so" in scene.mcp(modern("echo", {"text": "said so"}), **MODERN, Mcp_Name="echo").text
    assert "again" in scene.mcp(call("demo__echo", {"text": "again"}), "/mcp").text
    assert scene.tools.calls[-3:] == ["echo said aloud", "echo said so", "echo again"]


NAMES = (
    "delete_file", "Delete_File", "DELETE_FILE", "deleteFile", "delete-file", "delete file", "delete.file",
    " delete_file", "delete_file ", "delete_file\n", "delete_file\u0000", "delete\u200b_file",
    "\ufeffdelete_file", "\uff44elete_file", "d\u0435lete_file", "delete\u00adfile", "delete\u202e_file",
    "demo__delete_file",
    "demo/delete_file", "../delete_file", "x__delete_file", "__delete_file", "de\u0301lete_file", "",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_by_another_spelling_never_runs(scene: Scene, name: str) -> None:
    for path in ("/mcp/demo", "/mcp"):
        for said in {name, f"demo__{name}"}:
            scene.mcp(call(said, DELETE), path)
            encoded = f"=?base64?{base64.b64encode(said.encode()).decode()}?="
            scene.mcp(modern(said, DELETE), path, **MODERN, Mcp_Name=encoded)


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file","name":"echo","arguments":{}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\\u0061me":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"Params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","NAME":"delete_file"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{"name":"delete_file"}}'.encode(),
        b'{"jsonrpc":"2.0","id":1,"Method":"tools/call","method":"ping","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["delete_file"]}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["delete_file",{}]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":1e999999}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}/**/}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"task":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools\\/\\/call","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete_file","arguments":{"path":"/planted"}}}',
        b'{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file","task":{"ttl":1}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{"taskId":"x"}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}]',
        b'[[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}]]',
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n{"jsonrpc":"2.0","id":2,"method":"tools/call",'
        b'"params":{"name":"delete_file","arguments":{"path":"/planted"}}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}'.encode("utf-16"),
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file\\ud800"}}',
    ],
)  # fmt: skip
def test_a_message_that_two_readers_read_differently_is_carried_nowhere(scene: Scene, body: bytes) -> None:
    before = len(scene.tools.calls)
    for path in ("/mcp/demo", "/mcp"):
        answer = scene.mcp(body, path)
        assert answer.status_code in (200, 202, 400, 404), answer.text
        assert "isError" not in answer.text or '"isError":true' in answer.text
    assert len(scene.tools.calls) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Mcp_Name": "echo"},
        {"Mcp_Name": "=?base64?ZWNobw==?="},
        {"Mcp_Name": "=?BASE64?ZGVsZXRlX2ZpbGU=?="},
        {"Mcp_Name": "=?base64?ZGVsZXRlX2ZpbGV=?="},
        {"Mcp_Name": "delete_file, echo"},
        {"Mcp_Name": "delete_file", "Mcp_Method": "tools/list"},
        {"Mcp_Name": "delete_file", "Mcp_Method": "TOOLS/CALL"},
        {"Mcp_Name": "delete_file", "MCP_Protocol_Version": "2025-11-25"},
        {"Mcp_Name": "delete_file", "MCP_Protocol_Version": "1999-01-01"},
        {"Mcp_Name": "delete_file"},
        {},
    ],
)
def test_headers_that_say_something_else_do_not_make_a_call_another(
    scene: Scene, headers: dict[str, str]
) -> None:
    for path, name in (("/mcp/demo", "delete_file"), ("/mcp", "demo__delete_file")):
        answer = scene.mcp(modern(name, DELETE), path, **{**MODERN, **headers})
        assert '"isError":false' not in answer.text


def test_a_header_that_is_sent_twice_is_refused(scene: Scene) -> None:
    body = json.dumps(modern("echo", {"text": "twice"})).encode()
    for name in (b"mcp-name: echo", b"mcp-method: tools/call", b"mcp-protocol-version: 2026-07-28"):
        lines = [
            b"POST /mcp/demo HTTP/1.1", b"host: x", scene.authorization[:-2], b"connection: close",
            b"content-type: application/json", b"content-length: %d" % len(body), b"mcp-name: echo",
            b"mcp-method: tools/call", b"mcp-protocol-version: 2026-07-28", name.title(),
        ]  # fmt: skip
        assert b" 400 " in scene.say(b"\r\n".join(lines) + b"\r\n\r\n" + body)[:20]
    assert "echo twice" not in scene.tools.calls


def test_another_agents_session_does_not_exist(scene: Scene) -> None:
    session = scene.begun()
    url, stolen = (
        f"{scene.server.url}/mcp/demo",
        {"authorization": f"Bearer {scene.other}", "mcp-session-id": session},
    )
    body = call("echo", {"text": "stolen"})
    for version in ("2025-11-25", "2026-07-28", "x", ""):
        headers = {**stolen, **({"mcp-protocol-version": version} if version else {})}
        told = scene.mcp(body, key=scene.other, Mcp_Session_Id=session, MCP_Protocol_Version=version)
        assert told.status_code in (400, 404), told.text
        assert httpx.delete(url, headers=headers).status_code != 200, version
        got = httpx.get(url, headers={**headers, "accept": "text/event-stream"}, timeout=3)
        assert got.status_code >= 400, version
    params = {"name": "echo", "arguments": {"text": "stolen"}, "_meta": META}
    scene.mcp(call("echo", params=params), key=scene.other, Mcp_Session_Id=session, **MODERN, Mcp_Name="echo")
    told = scene.mcp(
        call("echo", {"text": "mine"}), Mcp_Session_Id=session, MCP_Protocol_Version="2025-11-25"
    )
    assert "mine" in told.text, told.text


def test_another_agents_run_and_hold_are_nobodys(scene: Scene) -> None:
    with scene.server.http() as http:
        mine = http.post("/v1/runs", json={}).json()["run_id"]
    before = len(scene.tools.calls)
    body, alone = modern("echo", {"text": "joined"}), {**MODERN, "Mcp_Name": "echo"}
    for path, more in (
        (f"/r/{mine}/mcp/demo", {}),
        (f"/r/{mine}/mcp", {}),
        ("/mcp/demo", {"clearance_run": mine}),
    ):
        told = scene.mcp(body, path, scene.other, **alone, **more)
        assert '"isError":false' not in told.text, told.text
    assert len(scene.tools.calls) == before
    scene.mcp(
        call("echo", {"text": "in a session"}), f"/r/{mine}/mcp/demo", scene.other
    )  # has its run already
    assert not [one for one in scene.records(run_id=mine) if one["kind"] != "run_started"]
    with scene.server.http(admin=True) as admin:
        rule = {"name": "asks", "rule": "require_approval", "condition": {"tool": "demo__send_email"}}
        assert admin.post("/v1/policies", json=rule).status_code == 201
    mail = {"to": "a@b.example", "body": "x"}
    held = scene.mcp(call("send_email", mail)).json()["result"]["_meta"]["clearance"]
    meta = {"clearance": {"hold_id": held["hold_id"]}}
    params = {"name": "send_email", "arguments": mail, "_meta": meta}
    scene.mcp(call("", params=params), key=scene.other)
    scene.mcp(call("", params={**params, "arguments": {"to": "c@d.example", "body": "x"}}))
    assert not any("send_email" in one for one in scene.tools.calls)


def test_an_id_that_is_used_again_answers_nobody_elses_request(scene: Scene) -> None:
    session = scene.begun()
    sent = {"Mcp_Session_Id": session, "MCP_Protocol_Version": "2025-11-25"}
    first = scene.mcp(call("echo", {"text": "one"}, id=7), **sent)
    again = scene.mcp(call("delete_file", DELETE, id=7), **sent)
    assert "one" in first.text and '"isError":true' in again.text
    answer = {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "forged"}]}}
    assert scene.mcp(answer, **sent).status_code == 202


def test_the_agent_does_not_tell_how_a_call_ended_that_clearance_carries_out(scene: Scene) -> None:
    scene.mcp(call("sleep", {"seconds": 0.01}))
    done = scene.records(tool="demo__sleep", kind="intent")[0]["action_id"]
    running = Thread(target=scene.mcp, args=(call("sleep", {"seconds": 1.5}),))
    running.start()
    try:
        with scene.server.http() as http:
            for _ in range(200):
                found = scene.records(tool="demo__sleep", kind="intent")
                if found[0]["action_id"] != done:
                    break
            forged = {"status": "succeeded", "result": "nothing happened"}
            answer = http.post(f"/v1/actions/{found[0]['action_id']}/outcome", json=forged)
            assert answer.status_code == 403, answer.text
    finally:
        running.join()
    outcome = scene.records(tool="demo__sleep", kind="outcome")[0]
    assert "nothing happened" not in json.dumps(outcome)


@pytest.mark.parametrize(
    "path",
    [
        "/mcp/demo/../demo", "/mcp/..%2fdemo", "/MCP/demo", "/mcp/Demo", "/mcp/demo%00", "/mcp/demo%2f..%2fx",
        "/mcp/demo;x", "/mcp/demo/tools/call", "/mcp/\uff44emo", "/mcpx/demo", "/mcp/http://127.0.0.1:9/",
    ],
)  # fmt: skip
def test_another_spelling_of_a_path_leads_to_no_server(scene: Scene, path: str) -> None:
    first = f"POST {path} HTTP/1.1\r\nhost: x\r\n".encode() + scene.authorization
    body = json.dumps(call("echo", {"text": "lost"})).encode()
    more = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    answer = scene.say(first + more + body)
    assert answer.split(b" ", 2)[1] in (b"400", b"404"), answer
    assert "echo lost" not in scene.tools.calls


def test_another_content_type_or_a_pages_origin_is_not_taken(scene: Scene) -> None:
    for kind in ("text/plain", "application/json-rpc", "multipart/form-data", "", "text/json"):
        assert scene.mcp(call("echo", {"text": "typed"}), content_type=kind).status_code == 415
    for origin in ("null", "http://127.0.0.1", "https://evil.example", scene.server.url):
        assert scene.mcp(call("echo", {"text": "typed"}), origin=origin).status_code == 403
    assert "echo typed" not in scene.tools.calls


# Over stdio


SERVER = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    open(sys.argv[1], "a").write(line)
    if "id" in message:
        result = {"content": [{"type": "text", "text": "ran"}]}
        if message["method"] == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                      "serverInfo": {"name": "s", "version": "1"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


def test_no_line_on_a_pipe_reaches_the_server_unjudged(scene: Scene) -> None:
    directory = scene.server.directory
    assert directory is not None
    (directory / "stdio.py").write_text(SERVER)
    seen = directory / "seen"
    seen.touch()
    wrap = [sys.executable, "-m", "clearance", "mcp", "wrap", "--server", "demo", "--agent", "billing"]
    command = [
        *wrap,
        "--store",
        str(scene.server.store),
        "--",
        sys.executable,
        str(directory / "stdio.py"),
        str(seen),
    ]
    delete = json.dumps(call("delete_file", DELETE)).encode()
    lines = [
        delete,
        b"\xef\xbb\xbf" + delete,
        b"[" + delete + b"]",
        delete.replace(b'"id": 1, ', b""),
        delete.replace(b'"method"', b'"method": "ping", "method"'),
        delete.replace(b'"name"', b'"name": "echo", "name"'),
        delete.replace(b'"name"', b'"Name": "echo", "name"'),
        json.dumps(call("ping", method="ping")).encode() + b"\r" + delete,
        json.dumps(call("ping", method="ping")).encode() + b"\x0b" + delete,
        json.dumps(call("ping", method="ping")).encode() + "\u2028".encode() + delete,
        json.dumps(call("ping", method="ping")).encode() + b" " + delete,
        delete.replace(b", ", b",\n"),
        b"Content-Length: %d\r\n\r\n" % len(delete) + delete,
        delete.decode().encode("utf-16-le"),
        delete + b"\x00",
        delete.replace(b"delete_file", b"deleteFile"),
    ]
    told = subprocess.run(
        command, input=b"\n".join(lines) + b"\n", capture_output=True, timeout=60, cwd=directory,
        env={**os.environ}, check=False,
    )  # fmt: skip
    assert "delete" not in seen.read_text().lower(), seen.read_text()
    assert b'"ran"' not in told.stdout
    good = json.dumps(call("echo", {"text": "a"})).encode() + b"\n"
    told = subprocess.run(command, input=good, capture_output=True, timeout=60, cwd=directory, check=False)
    assert b'"ran"' in told.stdout, told.stderr
