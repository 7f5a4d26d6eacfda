"""Bytes on the port that two readers would read differently, before any door: smuggling, floods, tricks.

The rows that no test here can show stand in docs/threat-model.md.
"""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.bypass.framing import AMBIGUOUS, BODY, LENGTH, chunked
from tests.acceptance.bypass.scene import Scene, heard, opened

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
CHAT = b"/openai/v1/chat/completions"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("port")) as made:
        yield made


def head(scene: Scene, *lines: bytes, first: bytes = b"POST %b HTTP/1.1" % CHAT) -> bytes:
    fixed = (first, b"host: x", scene.authorization[:-2], b"content-type: application/json", *lines)
    return b"\r\n".join(fixed) + b"\r\n\r\n"


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_whose_length_is_told_in_two_ways_reaches_no_door(scene: Scene, name: str) -> None:
    lines, body = AMBIGUOUS[name]
    before = len(scene.model.requests)
    answer = scene.say(head(scene, *lines) + body, seconds=2)
    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert len(scene.model.requests) == before


@pytest.mark.parametrize(
    "body",
    [
        b"1;" + b"a" * 9 + b"\nx\r\n0\r\n\r\n",
        b"%x\n%b\n0\n\n" % (len(BODY), BODY),
        b"-1\r\n" + BODY,
        b"+%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
        b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
        b"%x \x00\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
        b"fffffffffffffffff\r\n" + BODY,
        b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
        b"%x\r\n%bXX0\r\n\r\n" % (len(BODY), BODY),
    ],
)
def test_chunks_that_are_none_reach_no_door(scene: Scene, body: bytes) -> None:
    before = len(scene.model.requests)
    answer = scene.say(head(scene, b"transfer-encoding: chunked") + body, seconds=2)
    assert b" 200 " not in answer, answer
    assert len(scene.model.requests) == before


def test_chunks_with_extensions_and_trailers_are_one_body_and_no_more(scene: Scene) -> None:
    body = b'%x;a=b;c="d"\r\n%b\r\n0\r\nx: y\r\n\r\n' % (len(BODY), BODY)
    before = len(scene.model.requests)
    answer = scene.say(head(scene, b"transfer-encoding: chunked", b"connection: close") + body)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [one.raw for one in scene.model.requests[before:]] == [BODY]


def test_a_trailer_is_no_header(scene: Scene) -> None:
    """Who stands before us takes `x-forwarded-client-cert` out of headers, and passes trailers on."""
    chunks = b"%x\r\n%b\r\n0\r\n%%b\r\n" % (len(BODY), BODY)
    first = b"POST %b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n" % CHAT
    assert b" 401 " in scene.say(first + chunks % scene.authorization)[:20]
    lines = (b"transfer-encoding: chunked", b"connection: close")
    answer = scene.say(head(scene, *lines) + chunks % b"clearance-run: run_of_somebody\r\n")
    assert b" 200 " in answer[:20]


def test_what_follows_a_body_is_a_request_of_its_own_that_needs_its_own_key(scene: Scene) -> None:
    smuggled = b"POST %b HTTP/1.1\r\nhost: x\r\n%b\r\n\r\n%b" % (CHAT, LENGTH, BODY)
    before = len(scene.model.requests)
    answer = scene.say(head(scene, LENGTH) + BODY + smuggled, seconds=2)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.count(b"HTTP/1.1 401") == 1
    assert len(scene.model.requests) == before + 1


def test_many_requests_at_once_are_answered_in_their_order_each_judged(scene: Scene) -> None:
    bad = json.dumps({"model": "gpt-9", "messages": [{"role": "user", "content": "Hi."}]}).encode()
    before = len(scene.model.requests)
    data = b"".join(head(scene, b"content-length: %d" % len(body)) + body for body in (BODY, bad, BODY, bad))
    answer = scene.say(data, seconds=3)
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"403", b"200", b"403"]
    assert len(scene.model.requests) == before + 2


def test_bytes_beyond_the_length_are_no_part_of_the_body(scene: Scene) -> None:
    before = len(scene.model.requests)
    answer = scene.say(head(scene, LENGTH) + BODY + b'{"model":"gpt-9"}', seconds=2)
    assert answer.count(b"HTTP/1.1 ") == 1
    time.sleep(0.5)  # the first may go on while the second is told that it is none
    assert [one.raw for one in scene.model.requests[before:]] in ([], [BODY])


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/1.9", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 x", b""])
def test_another_version_of_http_reaches_no_door(scene: Scene, version: bytes) -> None:
    before = len(scene.model.requests)
    answer = scene.say(head(scene, LENGTH, first=b"POST %b %b" % (CHAT, version)) + BODY, seconds=2)
    assert b" 200 " not in answer, answer
    assert len(scene.model.requests) == before


def test_http_1_0_is_judged_like_any_other_and_its_connection_ends(scene: Scene) -> None:
    first = b"POST %b HTTP/1.0" % CHAT
    answer = scene.say(head(scene, LENGTH, first=first) + BODY)
    assert answer.split(b" ", 2)[1] == b"200"
    before = len(scene.model.requests)
    answer = scene.say(
        head(scene, b"transfer-encoding: chunked", LENGTH, first=first) + chunked(BODY), seconds=2
    )
    assert b" 200 " not in answer
    assert len(scene.model.requests) == before


def test_the_preface_of_http_2_and_an_upgrade_to_it_are_not_taken(scene: Scene) -> None:
    assert b" 400 " in scene.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), seconds=2)
    upgrade = head(
        scene, LENGTH, b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQ"
    )
    answer = scene.say(upgrade + BODY, seconds=2)
    assert b" 101 " not in answer


@pytest.mark.parametrize("path", [CHAT, b"/openai/v1/realtime", b"/mcp/demo", b"/openai/v1/responses"])
def test_a_websocket_is_not_opened_on_any_door(scene: Scene, path: bytes) -> None:
    lines = (
        b"connection: Upgrade",
        b"upgrade: websocket",
        b"sec-websocket-version: 13",
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    answer = scene.say(head(scene, *lines, first=b"GET %b HTTP/1.1" % path), seconds=2)
    assert b" 101 " not in answer, answer


def test_the_host_the_target_and_forwarding_headers_choose_no_upstream(scene: Scene) -> None:
    lines = (
        LENGTH,
        b"x-forwarded-host: 127.0.0.1:9",
        b"x-forwarded-for: 127.0.0.1",
        b"x-forwarded-prefix: /v1",
        b"x-original-url: /v1/policies",
        b"x-rewrite-url: /v1/policies",
        b"forwarded: host=127.0.0.1:9",
        b"connection: close",
    )
    for target in (b"http://127.0.0.1:9" + CHAT, CHAT + b"?base_url=http://127.0.0.1:9"):
        before = len(scene.model.requests)
        answer = scene.say(head(scene, *lines, first=b"POST %b HTTP/1.1" % target) + BODY)
        assert b" 200 " in answer[:20], answer
        assert len(scene.model.requests) == before + 1
        sent = scene.model.requests[-1]
        assert (sent.path, sent.query) == ("/v1/chat/completions", "")
        assert not any(name.startswith(("x-", "forwarded")) for name in sent.headers)


def test_the_main_port_is_no_proxy(scene: Scene) -> None:
    answer = scene.say(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nhost: x\r\n\r\n" % scene.model.port, seconds=2)
    assert b" 200 " not in answer[:20], answer
    before = len(scene.model.requests)
    first = b"GET http://127.0.0.1:%d/v1/models HTTP/1.1" % scene.model.port
    answer = scene.say(head(scene, first=first), seconds=2)
    assert answer.split(b" ", 2)[1] == b"404"  # `/v1/models` of ours, which is no path
    assert len(scene.model.requests) == before


@pytest.mark.parametrize(
    "path",
    [
        "//openai/v1/chat/completions",
        "/openai//v1/chat/completions",
        "/OPENAI/v1/chat/completions",
        "/openai/v1/Chat/completions",
        "/openai/v1/chat/completions/",
        "/openai/v1/./chat/completions",
        "/openai/v1/x/../chat/completions",
        "/openai/v1/%2e%2e/v1/chat/completions",
        "/openai/v1/chat%252fcompletions",
        "/openai\\v1\\chat\\completions",
        "/mcp/../openai/v1/chat/completions",
        "/mcp/..%2fopenai/v1/chat/completions",
        "/openai/v1/chat/completions%00",
        "/openai/v1/chat/completions%0d%0ax: y",
        "/openai/v1/chat/completions;x=y",
        "/openai/v1/chat/completions%20",
        "/openai/deployments/../v1/chat/completions",
        "/openai/deployments/a%2fb/chat/completions",
        "/openai/deployments/..%2f..%2fv1%2ffiles/chat/completions",
        "/r//openai/v1/chat/completions/x",
        "/r/x/r/x/openai/v1/chat/completions",
        "/v1/chat/completions",
        "/ｏpenai/v1/chat/completions",
    ],
)
def test_another_spelling_of_a_path_leads_to_no_provider(scene: Scene, path: str) -> None:
    before = len(scene.model.requests)
    answer = scene.say(head(scene, LENGTH, first=b"POST %b HTTP/1.1" % path.encode()) + BODY, seconds=2)
    assert answer.split(b" ", 2)[1] in (b"400", b"403", b"404", b"405"), answer
    assert len(scene.model.requests) == before


def test_an_encoded_path_is_the_plain_one_and_is_judged_as_such(scene: Scene) -> None:
    bad = {"model": "gpt-9", "messages": []}
    for path in ("/%6fpenai/v1/chat/completions", "/openai/v1/chat%2fcompletions"):
        before = len(scene.model.requests)
        assert scene.post(path, bad).status_code == 403
        assert len(scene.model.requests) == before


def test_a_path_of_a_run_leads_to_the_doors_and_to_nothing_else(scene: Scene) -> None:
    run_id = scene.server.http().post("/v1/runs", json={}).json()["run_id"]
    for path in ("/v1/actions", "/v1/policies", "/healthz", "/openapi.json", "/metrics"):
        assert scene.post(f"/r/{run_id}{path}", {"action": "read_file"}).status_code == 404, path


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override", "_method"])
def test_a_method_in_a_header_is_no_method(scene: Scene, name: str) -> None:
    sent = {name: "DELETE"}
    answer = scene.server.http(admin=True).post("/v1/agents/billing/keys", json={}, headers=sent)
    assert answer.status_code < 300
    assert scene.post("/openai/v1/models", {}, **{name: "GET"}).status_code == 405


def test_two_credentials_are_none(scene: Scene) -> None:
    mine, other = scene.server.agent_key.encode(), scene.other.encode()
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    for path, payload in ((CHAT, BODY), (b"/mcp/demo", body)):
        for second in (b"authorization: Bearer " + other, b"Authorization: Bearer " + mine):
            lines = (b"content-length: %d" % len(payload), second, b"connection: close")
            answer = scene.say(head(scene, *lines, first=b"POST %b HTTP/1.1" % path) + payload)
            assert answer.split(b" ", 2)[1] == b"401", (path, answer)
    for name in (b"x-api-key", b"api-key"):
        answer = scene.say(head(scene, LENGTH, name + b": " + other, b"connection: close") + BODY)
        assert answer.split(b" ", 2)[1] == b"401"


def test_a_packed_body_is_no_json(scene: Scene) -> None:
    for coding in ("gzip", "deflate", "br", "zstd"):
        before = len(scene.model.requests)
        packed = gzip.compress(BODY)
        assert scene.post(CHAT.decode(), packed, content_encoding=coding).status_code == 400
        assert scene.post("/mcp/demo", packed, content_encoding=coding).status_code == 400
        assert len(scene.model.requests) == before


def test_a_plain_body_that_claims_to_be_packed_is_not_sent_on_as_packed(scene: Scene) -> None:
    scene.post(CHAT.decode(), BODY, content_encoding="gzip")
    assert "content-encoding" not in scene.model.requests[-1].headers


def test_a_head_that_never_ends_is_let_go_of(scene: Scene) -> None:
    with socket.create_connection(("127.0.0.1", scene.server.port), timeout=10) as made:
        answer = heard(made, head(scene, *(b"x-%d: %b" % (n, b"a" * 1000) for n in range(300)))[:-4])
    assert answer.split(b" ", 2)[1] == b"431", answer
    with socket.create_connection(("127.0.0.1", scene.server.port), timeout=10) as made:
        answer = heard(made, b"POST /" + b"a" * 300_000)
    assert answer.split(b" ", 2)[1] == b"431", answer


def test_a_body_that_never_ends_is_let_go_of(scene: Scene) -> None:
    before = len(scene.model.requests)
    with socket.create_connection(("127.0.0.1", scene.server.port), timeout=0.5) as made:
        made.sendall(head(scene, b"transfer-encoding: chunked", first=b"POST /mcp/demo HTTP/1.1"))
        answer = heard(made, b"10000\r\n" + b"a" * 65_536 + b"\r\n")
        made.settimeout(20)
        for _ in range(200):
            if answer:
                break
            try:
                made.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            except ConnectionError:
                break
        made.settimeout(2)
        answer += heard(made, b"")
    assert b" 413 " in answer[:20] or not answer
    assert len(scene.model.requests) == before


def test_what_waits_to_be_told_to_go_on_is_told_only_with_a_key(scene: Scene) -> None:
    with socket.create_connection(("127.0.0.1", scene.server.port), timeout=3) as made:
        made.settimeout(3)
        plain = b"POST %b HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n%b\r\n\r\n" % (CHAT, LENGTH)
        answer = heard(made, plain)
    assert b"100" not in answer[:20] and b" 401 " in answer[:20]
    with socket.create_connection(("127.0.0.1", scene.server.port), timeout=3) as made:
        made.settimeout(3)
        made.sendall(head(scene, LENGTH, b"expect: 100-continue", b"connection: close"))
        assert made.recv(1000).startswith(b"HTTP/1.1 100")
        assert b" 200 " in heard(made, BODY)[:20]


def test_a_stranger_that_drips_its_head_or_a_body_that_was_answered_is_let_go_of(scene: Scene) -> None:
    body = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n" % CHAT
    dripping = {}
    for first in (b"POST / HTTP/1.1\r\nx: ", body):
        made = dripping[first] = socket.create_connection(("127.0.0.1", scene.server.port), timeout=1)
        made.sendall(first)
    began, open_still = time.monotonic(), set(dripping.values())
    while open_still and time.monotonic() - began < 60:
        time.sleep(1)
        open_still = {made for made in open_still if drips(made)}
    assert not open_still
    assert time.monotonic() - began > 20  # not at once: a slow client is served


def drips(made: socket.socket) -> bool:
    """One more byte; whether the other end still listens."""
    try:
        made.sendall(b"a")
        while made.recv(65_536):
            pass
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    made.close()
    return False
