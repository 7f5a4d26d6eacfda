"""One guarded statement: attempted, decided, kept or taken back. The only place where that order stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance.core.model import (
    ActionCall,
    CheckResult,
    OutcomeReport,
    OutcomeStatus,
    Reason,
    Request,
    Resource,
    Saved,
)
from clearance.errors import ClearanceError, SystemUnavailableError
from clearance.ports import Measured, Session
from clearance.runtime.names import snapshot_of
from clearance.sdk.embedded import EmbeddedBackend
from clearance.sdk.holding import cleared_by_people

TOOL = "sql.execute"
DOOR = "sql"


class Statement:
    """What the machine counts and saves of one statement: a Target on the session's own transaction."""

    def __init__(self, session: Session, text: str, parameters: object) -> None:
        self.systems = (session.system,)
        self.failure: Exception | None = None
        self._session = session
        self._text = text
        self._parameters = parameters

    def system_of(self, _: Resource) -> str:
        return self._session.system

    def measure(self, request: Request) -> tuple[Measured, ...]:
        """Raises ClearanceError; what the statement failed of is kept, its caller expects to see it."""
        snapshot_id = snapshot_of(request.context.action_id)
        try:
            return (self._session.attempt(self._text, self._parameters, snapshot_id=snapshot_id),)
        except ClearanceError as error:
            self.failure = error
            raise
        except Exception as error:  # the driver's own
            self.failure = error
            raise SystemUnavailableError(
                "The statement failed in the database; nothing of it stays."
            ) from None

    def save(self, _: Request, *, snapshot_id: str) -> tuple[Saved, ...]:  # noqa: ARG002 - the port's
        """The attempt captured it already; this proves that it captured all."""
        return (self._session.saved(),)

    def let_go(self) -> None:
        self._session.let_go()


def call_of(
    session: Session, kind: str, text: str, parameters: object, *, agent: str, run_id: str
) -> ActionCall:
    """The action that a statement is, by what the session reads in it. Raises RequestError."""
    understood = session.classify(text)
    names = dict.fromkeys(named.name for named in understood.objects)
    resources = tuple(f"{kind}:{session.system}/{name}" for name in names) or (f"{kind}:{session.system}",)
    arguments = {"text": text} if parameters is None else {"text": text, "parameters": parameters}
    return ActionCall(
        action=TOOL,
        operation=understood.operation,
        resource=resources,
        arguments=arguments,
        agent=agent,
        run_id=run_id,
    )


def cleared(
    backend: EmbeddedBackend, statement: Statement, session: Session, call: ActionCall
) -> CheckResult:
    """Raises PolicyViolationError or the driver's error; then the attempt was taken back.

    One that is held waits for people as every guarded call does, with nothing locked, and is attempted anew.
    """

    def send(one: ActionCall) -> CheckResult:
        statement.failure = None
        try:
            result = backend.clear_at(one, statement, door=DOOR)
        except BaseException:
            session.discard()
            raise
        if result.blocked:
            session.discard()
        return result

    seconds = backend.wait_for_approval_seconds
    result = cleared_by_people(call, send, backend.wait_hold, seconds=seconds)
    if result.blocked and statement.failure is not None:
        raise statement.failure
    result.raise_if_blocked()
    return result


def stop_of(backend: EmbeddedBackend, agents: Iterable[str]) -> Reason | None:
    """Why nothing of these agents may become real now. Raises StoreError: then, too."""
    reasons = (backend.stopping(ActionCall(action=TOOL, agent=agent)) for agent in agents)
    return next((reason for reason in reasons if reason is not None), None)


def report(
    backend: EmbeddedBackend, action_ids: Sequence[str], *, rows: int | None = None, error: str = ""
) -> None:
    """Tell how statements ended. One that cannot be told stays `unknown` in the trace: it has run."""
    status = OutcomeStatus.FAILED if error else OutcomeStatus.SUCCEEDED
    result = None if rows is None or rows < 0 else {"rows": rows}
    for action_id in action_ids:
        try:
            backend.report(action_id, OutcomeReport(status=status, result=result, error=error))
        except ClearanceError:
            continue
