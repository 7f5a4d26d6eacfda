"""The escape hatch `when:` in CEL. The one file that knows the CEL library, which is an optional extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearance.core.policy.condition import CEL_COST, Condition
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader
from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN
from clearance.core.policy.view import View
from clearance.core.policy.wording import clipped

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_LENGTH = 4_000
_TEXTS = ("agent", "tool", "operation", "environment", "goal", "run_id", "door", "team", "proof")
_REMEDY = "the expression under `when` met a value that is not known or not of the kind it compares"


def when(at: Located, *, reader: Reader) -> Condition | None:
    """The condition for one CEL expression, compiled here once; None when it was refused."""
    source = reader.text(at, "when")
    if not source:
        return None
    if len(source) > _MAX_LENGTH:
        reader.refuse(ProblemCode.TOO_LARGE, f"when is longer than {_MAX_LENGTH} characters.", at)
        return None
    program = _program(source, at, reader)
    if program is None:
        return None
    evaluate = program.eval

    def test(view: View) -> int:
        return _truth(evaluate, view.variables)

    return Condition(
        text=f"when: {clipped(source)}",
        phrase=f"({clipped(source)})",
        line=at.key_line,
        test=test,
        remedy=_REMEDY,
        cost=CEL_COST,
        reads_arguments=True,
    )


def _program(source: str, at: Located, reader: Reader) -> Any:
    try:
        from cel_expr_python import cel
    except ImportError:
        message = "A policy with `when` needs the CEL extra: pip install 'clearance[cel]'."
        reader.refuse(ProblemCode.CEL_NOT_INSTALLED, message, at)
        return None
    text, dynamic = cel.Type.STRING, cel.Type.DYN
    variables = {
        **dict.fromkeys(_TEXTS, text),
        "roles": cel.Type.List(text),
        "on_behalf_of": cel.Type.List(text),
        "resources": cel.Type.List(cel.Type.Map(text, text)),
        "arguments": cel.Type.Map(text, dynamic),
        "facts": cel.Type.Map(text, dynamic),
    }
    try:
        program = cel.NewEnv(variables=variables).compile(source)
    except RuntimeError as error:
        reader.refuse(ProblemCode.BAD_CEL, f"when does not compile: {_first_line(error)}", at)
        return None
    if program.return_type() not in (cel.Type.BOOL, dynamic):
        message = f"when must be true or false, not {program.return_type().name()}."
        reader.refuse(ProblemCode.BAD_CEL, message, at)
        return None
    return program


def _first_line(error: RuntimeError) -> str:
    said = str(error).partition("\n")[0].rpartition("<input>:")[2]
    return clipped(said, 200)


def _truth(evaluate: Any, variables: Mapping[str, Any]) -> int:
    try:
        value = evaluate(data=variables).plain_value()
    except Exception:  # whatever the library raises on a value it cannot take: the answer is not known
        return UNKNOWN
    if value is True:
        return TRUE
    return FALSE if value is False else UNKNOWN
