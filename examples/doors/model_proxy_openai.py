"""An agent on OpenAI's SDK, unmodified: address and key come from its environment. Started behind every door:

    python provider.py &                                    # or a real one: see clearance.yaml
    clearance run -- python model_proxy_openai.py

The model wants to delete an invoice. The call is taken out of its answer, so this agent, which does whatever
its model says, never sees it.
"""

import json

from openai import OpenAI

TOOLS = {
    "read_invoice": lambda number: {"number": number, "customer": "ACME", "total": 4800},
    "delete_invoice": lambda number: print("DELETED", number),
}
OFFERED = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
        },
    }
    for name in TOOLS
]


def main() -> None:
    client = OpenAI()
    said = [{"role": "user", "content": "What is invoice 2026-17 about?"}]
    while True:
        answer = client.chat.completions.create(model="gpt-5-mini", messages=said, tools=OFFERED)
        message = answer.choices[0].message
        if message.content:
            print("model:", message.content)
        if not message.tool_calls:
            return
        said.append(message)
        for call in message.tool_calls:
            print("runs: ", call.function.name, call.function.arguments)
            result = TOOLS[call.function.name](**json.loads(call.function.arguments))
            said.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})


if __name__ == "__main__":
    main()
