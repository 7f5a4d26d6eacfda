"""The same agent on Anthropic's SDK, unmodified:

python provider.py &
clearance run -- python model_proxy_anthropic.py
"""

import json

from anthropic import Anthropic, PermissionDeniedError

TOOLS = {
    "read_invoice": lambda number: {"number": number, "customer": "ACME", "total": 4800},
    "delete_invoice": lambda number: print("DELETED", number),
}
OFFERED = [
    {"name": name, "input_schema": {"type": "object", "properties": {"number": {"type": "string"}}}}
    for name in TOOLS
]


def main() -> None:
    client = Anthropic()
    said = [{"role": "user", "content": "What is invoice 2026-17 about?"}]
    while True:
        answer = client.messages.create(
            model="claude-haiku-4-5", max_tokens=500, messages=said, tools=OFFERED
        )
        said.append({"role": "assistant", "content": answer.content})
        results = []
        for block in answer.content:
            if block.type == "text":
                print("model:", block.text)
            elif block.type == "tool_use":
                print("runs: ", block.name, json.dumps(block.input))
                result = json.dumps(TOOLS[block.name](**block.input))
                results.append({"type": "tool_result", "tool_use_id": block.id, "content": result})
        if not results:
            break
        said.append({"role": "user", "content": results})

    try:
        client.messages.create(model="someone-elses-model", max_tokens=500, messages=said[:1])
    except PermissionDeniedError as refused:
        print("refused:", refused.body["error"]["message"])


if __name__ == "__main__":
    main()
