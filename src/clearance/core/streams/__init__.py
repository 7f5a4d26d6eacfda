"""A model's answer while it flows: what may leave now, what is kept back, what has to be asked. No I/O.

    guard = StreamGuard(dialect, rules, restore={placeholder: original})
    steps = guard.feed(chunk)          # bytes as the upstream sends them, split anywhere
    steps = guard.decided(call, ruling)  # the answer to AskTool(call), in any order
    steps = guard.judged(ruling)       # the answer to AskText(texts): Allowed, Rewritten, Refused
    steps = guard.end()                # the upstream's body is over

Steps: `Forward(data)` goes to the client at once; `AskTool`, `AskText` have to be answered before anything
behind them leaves; `Fail(code, message)` is the last step, after a `Forward` with the provider's error event.
`guard.answer` is what the model said so far, `guard.done` that all of it has left.
"""

from clearance.core.streams.guard import StreamGuard
from clearance.core.streams.steps import AskText, AskTool, Fail, Forward, Rewritten, Step, TextRuling

__all__ = ["AskText", "AskTool", "Fail", "Forward", "Rewritten", "Step", "StreamGuard", "TextRuling"]
