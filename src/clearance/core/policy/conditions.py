"""Compiles one condition as written: takes the keys apart and hands each to whoever knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clearance.core.policy.attributes import attribute
from clearance.core.policy.condition import Condition, all_of, any_of, contradiction, none_of
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, excerpt
from clearance.core.policy.stateful import stateful
from clearance.core.policy.values import argument, fact
from clearance.core.policy.vocabulary import ATTRIBUTES, GROUPS, STATEFUL, Vocabulary
from clearance.core.policy.watch import Watch

# More parts than a person can review; bounds the time that looking for contradictions takes.
MAX_PARTS = 500

_GROUPS: dict[str, Callable[..., Condition]] = {"any": any_of, "all": all_of, "none": none_of}


class ConditionCompiler:
    """Compiles the conditions of one set of documents. Collects the watches they need."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, *, of_results: bool = False) -> None:
        """`of_results`: they are asked of what came back, and know no past."""
        self.watches: dict[str, Watch] = {}
        self._of_results = of_results
        self._reader = reader
        self._vocabulary = vocabulary

    def compile(self, at: Located, what: str) -> Condition:
        """The condition; what was refused is noted with the reader and left out."""
        noted = len(self._reader.problems)
        if _parts(at) > MAX_PARTS:
            message = f"{what} has more than {MAX_PARTS} parts; split the policy."
            self._reader.refuse(ProblemCode.TOO_LARGE, message, at)
            return all_of([])
        condition = self._mapping(at, what)
        if len(self._reader.problems) == noted:
            self.refuse_contradiction(condition, at)
        return condition

    def refuse_contradiction(self, condition: Condition, at: Located) -> None:
        culprit = contradiction(condition)
        if culprit is not None:
            message = f'This can never match: "{culprit.text}" contradicts the rest.'
            line = culprit.line or at.key_line
            where = Located(None, at.file, line, line)
            self._reader.refuse(ProblemCode.NEVER_MATCHES, message, where)

    def attribute_of(self, written: str) -> str:
        """The attribute or fact that a key is about; "" for a group, a stateful condition or a mistake."""
        key = self._vocabulary.key(written)
        return "" if key is None else key.base

    def part(self, written: str, at: Located) -> Condition | None:
        """The condition for one key; None when it was refused."""
        if written in GROUPS:
            return self._group(written, at)
        if written == "argument":
            return argument(at, reader=self._reader, of_result=self._of_results)
        if written in STATEFUL:
            return self._stateful(written, at)
        key = self._vocabulary.key(written)
        if key is None:
            self._refuse_key(written, at)
            return None
        if key.base in ATTRIBUTES:
            return attribute(key, at, reader=self._reader, vocabulary=self._vocabulary)
        return fact(key, at, reader=self._reader)

    def _mapping(self, at: Located, what: str) -> Condition:
        fields = self._reader.mapping(at, what)
        parts = [self.part(key, child) for key, child in fields.items()]
        return all_of([part for part in parts if part is not None], line=at.key_line)

    def _group(self, kind: str, at: Located) -> Condition | None:
        children = self._reader.items(at, kind)
        if isinstance(at.value, tuple) and not children:
            self._reader.refuse(ProblemCode.NEVER_MATCHES, f"{kind} is an empty list.", at)
        conditions: Sequence[Condition] = [
            self._mapping(child, f"A condition in {kind}") for child in children
        ]
        return _GROUPS[kind](conditions, line=at.key_line) if conditions else None

    def _stateful(self, kind: str, at: Located) -> Condition | None:
        if self._of_results:
            message = f"{kind} is asked before a call; a policy over results looks at one result."
            self._reader.refuse(ProblemCode.MISPLACED_KEY, message, at)
            return None
        compiled = stateful(kind, at, reader=self._reader, compile_match=self._match)
        if compiled is None:
            return None
        condition, watch = compiled
        self.watches.setdefault(watch.id, watch)
        return condition

    def _match(self, at: Located) -> Condition:
        return self.compile(at, "match")

    def _refuse_key(self, written: str, at: Located) -> None:
        meant = self._vocabulary.suggestion(written)
        hint = f'did you mean "{meant}"? A fact of your own is declared under `facts:`' if meant else ""
        message = f'A condition has no key "{excerpt(written)}".'
        self._reader.refuse(ProblemCode.UNKNOWN_KEY, message, at, suggestion=hint)


def _parts(at: Located) -> int:
    if isinstance(at.value, dict):
        return sum(1 + _parts(child) for child in at.value.values())
    # The texts in a list of values are one part together; conditions in a list are parts of their own.
    return sum(_parts(child) for child in at.value) if isinstance(at.value, tuple) else 0
