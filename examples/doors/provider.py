"""Stands in for a provider of models, so that the examples need no key: python provider.py [PORT].

It speaks just enough of OpenAI's Chat Completions and Anthropic's Messages. Its model is one that goes wrong:
asked for anything, it wants to read an invoice and to delete it.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NUMBER = {"number": "2026-17"}
WANTED = ("read_invoice", "delete_invoice")


def chat(asked: dict) -> dict:
    """OpenAI's form. Once a tool has answered, the model is done."""
    if any(message["role"] == "tool" for message in asked["messages"]):
        message = {"role": "assistant", "content": "Invoice 2026-17 is ACME's, over 4800."}
        reason = "stop"
    else:
        calls = [
            {
                "id": f"call_{name}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(NUMBER)},
            }
            for name in WANTED
        ]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        reason = "tool_calls"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_763_700_000,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80},
    }


def messages(asked: dict) -> dict:
    """Anthropic's form."""
    if isinstance(asked["messages"][-1]["content"], list):
        content = [{"type": "text", "text": "Invoice 2026-17 is ACME's, over 4800."}]
        reason = "end_turn"
    else:
        content = [
            {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": NUMBER} for name in WANTED
        ]
        reason = "tool_use"
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 60, "output_tokens": 20},
    }


class Provider(BaseHTTPRequestHandler):
    """Answers each POST by its path; a GET is a page, for the example of the egress proxy."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = messages if self.path.endswith("/messages") else chat
        self._say("application/json", json.dumps(answer(asked)).encode())

    def do_GET(self) -> None:
        self._say("text/plain", b"rates: EUR 1.07\n")

    def _say(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: the example's own output is what is read."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9700
    ThreadingHTTPServer(("0.0.0.0", port), Provider).serve_forever()
