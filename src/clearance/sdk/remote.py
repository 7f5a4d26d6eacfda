"""The control point behind HTTP. Silence, slowness and nonsense are errors: the action does not run."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from clearance.config import Settings
from clearance.core import redact
from clearance.core.model import (
    ActionCall,
    CheckResult,
    Decision,
    Effect,
    HoldView,
    Judged,
    OutcomeReport,
    OutcomeStatus,
    Reason,
    ReasonCode,
    Record,
    RestoreMode,
    ResultShown,
    Saved,
    Undone,
)
from clearance.errors import (
    ApprovalError,
    AuthenticationError,
    ClearanceError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PolicyError,
    PolicyViolationError,
    Problem,
    ProtocolError,
    RecoveryError,
    RequestError,
    RestoreConflictError,
    StoreError,
    SystemUnavailableError,
    UnreachableError,
)
from clearance.ports import HoldQuery, PolicyVersion, RecordQuery, RunQuery, RunSummary
from clearance.sdk.in_flight import InFlight
from clearance.sdk.long_poll import awaited, waited
from clearance.sdk.remote_brake import BrakeAnswer, RemoteBrake

T = TypeVar("T")
_APPROVAL = "approval_"  # how the code of every answer that does not count begins
_RECOVERY_SECONDS = 600.0  # a restore takes as long as what it restores is large
_NONSENSE = "The control point's answer cannot be read; the action did not run. Is `url` a Clearance server?"
_BY_CODE: dict[str, type[ClearanceError]] = {
    error.code: error
    for error in (
        AuthenticationError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        StoreError,
        RecoveryError,
        SystemUnavailableError,
    )
}


class _ErrorBody(msgspec.Struct, frozen=True):
    code: str
    message: str
    problems: list[Problem] = []
    keys: tuple[str, ...] = ()
    reason_code: str = ""
    action_id: str = ""


class _ErrorAnswer(msgspec.Struct, frozen=True):
    error: _ErrorBody


class _RunAnswer(msgspec.Struct, frozen=True):
    run_id: str
    goal: str = ""


class _Outcome(msgspec.Struct, frozen=True):
    judged: ResultShown | None = None


class _Holds(msgspec.Struct, frozen=True):
    holds: list[HoldView]


class RemoteBackend:
    """Speaks to `clearance serve`. Follows no redirect, repeats no request."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError for a URL that is none, or a missing key."""
        _check(settings)
        self.wait_for_approval_seconds = settings.wait_for_approval_seconds
        self._timeout_seconds = settings.timeout_seconds
        options: dict[str, Any] = {
            "base_url": settings.url,
            "headers": {"Authorization": f"Bearer {settings.api_key}"},
            "timeout": settings.timeout_seconds,
        }
        self._timeout_seconds = settings.timeout_seconds
        self._http = httpx.Client(**options)
        self._async_http = httpx.AsyncClient(**options)
        self._brake = RemoteBrake(self._brake_state)
        self.in_flight = InFlight(self._brake.look)

    def clear(self, call: ActionCall) -> CheckResult:
        return self._post("/v1/actions", call, CheckResult)

    async def aclear(self, call: ActionCall) -> CheckResult:
        return await self._apost("/v1/actions", call, CheckResult)

    def report(self, action_id: str, report: OutcomeReport) -> None:
        self._post(f"/v1/actions/{action_id}/outcome", _storable(report), dict[str, Any])

    async def areport(self, action_id: str, report: OutcomeReport) -> None:
        await self._apost(f"/v1/actions/{action_id}/outcome", _storable(report), dict[str, Any])

    def inspect(self, action_id: str, result: Any) -> Judged:
        answer = self._post(f"/v1/actions/{action_id}/outcome", _succeeded(result), _Outcome)
        return _judged(result, answer.judged)

    async def ainspect(self, action_id: str, result: Any) -> Judged:
        answer = await self._apost(f"/v1/actions/{action_id}/outcome", _succeeded(result), _Outcome)
        return _judged(result, answer.judged)

    def start_run(self, *, agent: str, goal: str, parent_run_id: str) -> str:
        return self._post("/v1/runs", _run(agent, goal, parent_run_id), _RunAnswer).run_id

    async def astart_run(self, *, agent: str, goal: str, parent_run_id: str) -> str:
        return (await self._apost("/v1/runs", _run(agent, goal, parent_run_id), _RunAnswer)).run_id

    def join_run(self, run_id: str, *, agent: str) -> str:  # noqa: ARG002 - it is the key's own
        return self.ask("GET", f"/v1/runs/{_quoted(run_id)}", None, _RunAnswer).goal

    async def ajoin_run(self, run_id: str, *, agent: str) -> str:  # noqa: ARG002
        return (await self._aget(f"/v1/runs/{_quoted(run_id)}", _RunAnswer)).goal

    def hold(self, hold_id: str) -> HoldView:
        return self.ask("GET", f"/v1/holds/{_quoted(hold_id)}", None, HoldView)

    def holds(self, query: HoldQuery) -> list[HoldView]:
        return self.ask("GET", "/v1/holds", None, _Holds, _filters(query)).holds

    def wait_hold(self, hold_id: str, seconds: float) -> HoldView:
        path = f"/v1/holds/{_quoted(hold_id)}"

        def ask(wait: float) -> HoldView:
            patience = wait + self._timeout_seconds
            return self.ask("GET", path, None, HoldView, {"wait": f"{wait:.3f}"}, patience)

        return waited(ask, seconds=seconds)

    async def await_hold(self, hold_id: str, seconds: float) -> HoldView:
        path = f"/v1/holds/{_quoted(hold_id)}"

        async def ask(wait: float) -> HoldView:
            return await self._aget(
                f"{path}?wait={wait:.3f}", HoldView, timeout_seconds=wait + self._timeout_seconds
            )

        return await awaited(ask, seconds=seconds)

    def end_run(self, run_id: str, *, status: OutcomeStatus, error: str) -> None:
        self._post(f"/v1/runs/{run_id}/end", {"status": status, "error": error}, dict[str, Any])

    async def aend_run(self, run_id: str, *, status: OutcomeStatus, error: str) -> None:
        await self._apost(f"/v1/runs/{run_id}/end", {"status": status, "error": error}, dict[str, Any])

    def note(self, run_id: str, text: str) -> None:
        self._post(f"/v1/runs/{run_id}/notes", {"text": text}, dict[str, Any])

    def runs(self, query: RunQuery) -> list[RunSummary]:
        return self.ask("GET", "/v1/runs", None, _Runs, _filters(query)).runs

    def trace(self, run_id: str) -> list[Record]:
        return self.ask("GET", f"/v1/runs/{_quoted(run_id)}/trace", None, _Records).records

    def search(self, query: RecordQuery) -> list[Record]:
        return self.ask("GET", "/v1/records", None, _Records, _filters(query)).records

    def policies(self) -> PolicyVersion | None:
        return self.ask("GET", "/v1/policies", None, PolicyVersion)

    def create_policy(self, policy: dict[str, Any]) -> PolicyVersion:
        return self._post("/v1/policies", policy, PolicyVersion)

    def replace_policy(self, name: str, policy: dict[str, Any]) -> PolicyVersion:
        return self.ask("PUT", f"/v1/policies/{_quoted(name)}", policy, PolicyVersion)

    def delete_policy(self, name: str) -> PolicyVersion:
        return self.ask("DELETE", f"/v1/policies/{_quoted(name)}", None, PolicyVersion)

    def snapshot(
        self, resource: str | tuple[str, ...], *, record_ids: list[Any] | None, agent: str, run_id: str
    ) -> str:
        wanted = {"resource": resource, "record_ids": record_ids, "agent": agent, "run_id": run_id}
        return self._recover("/v1/snapshots", wanted, _Taken).snapshot_id

    def undo(self, of: str, *, mode: RestoreMode, agent: str, run_id: str) -> Undone:
        wanted = {"mode": mode, "agent": agent, "run_id": run_id}
        return self._recover(f"/v1/actions/{_quoted(of)}/undo", wanted, Undone)

    def undo_run(self, run_id: str, *, mode: RestoreMode, agent: str) -> list[Undone]:
        wanted = {"mode": mode, "agent": agent}
        return self._recover(f"/v1/runs/{_quoted(run_id)}/undo", wanted, _UndoneRun).undone

    def verify(self, snapshot_id: str) -> list[Saved]:
        return self._recover(f"/v1/snapshots/{_quoted(snapshot_id)}/verify", {}, _Verified).saved

    def stopping(self, call: ActionCall) -> Reason | None:
        return self._brake.now()(call)

    def _brake_state(self, since: int | None, wait_seconds: float) -> BrakeAnswer:
        query = {"wait": f"{wait_seconds:g}"} | ({} if since is None else {"since": str(since)})
        timeout = wait_seconds + self._timeout_seconds
        return self.ask("GET", "/v1/brake", None, BrakeAnswer, query, timeout)

    def close(self) -> None:
        self.in_flight.close()
        self._http.close()

    async def aclose(self) -> None:
        self.in_flight.close()
        self._http.close()
        await self._async_http.aclose()

    def _post(self, path: str, body: Any, answer: type[T]) -> T:
        return self.ask("POST", path, body, answer)

    def _recover(self, path: str, body: Any, answer: type[T]) -> T:
        return self.ask("POST", path, body, answer, timeout_seconds=_RECOVERY_SECONDS)

    def ask(
        self,
        method: str,
        path: str,
        body: Any,
        answer: type[T],
        query: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> T:
        """One request. Raises the error that the answer tells of, UnreachableError, ProtocolError."""
        timeout = httpx.USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds
        try:
            response = self._http.request(method, path, content=_encoded(body), params=query, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _unreachable(error)
        return _read(response, answer)

    async def _apost(self, path: str, body: Any, answer: type[T]) -> T:
        try:
            response = await self._async_http.post(path, content=_encoded(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _unreachable(error)
        return _read(response, answer)

    async def _aget(self, path: str, answer: type[T], *, timeout_seconds: float | None = None) -> T:
        timeout = httpx.USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds
        try:
            response = await self._async_http.get(path, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _unreachable(error)
        return _read(response, answer)


class _Runs(msgspec.Struct, frozen=True):
    runs: list[RunSummary]


class _Records(msgspec.Struct, frozen=True):
    records: list[Record]


class _Taken(msgspec.Struct, frozen=True):
    snapshot_id: str


class _UndoneRun(msgspec.Struct, frozen=True):
    undone: list[Undone]


class _Verified(msgspec.Struct, frozen=True):
    saved: list[Saved]


def _check(settings: Settings) -> None:
    problems = []
    if not settings.url.startswith(("http://", "https://")):
        problems.append(Problem("bad_url", "`url` must begin with http:// or https://", "settings"))
    if not settings.api_key:
        problems.append(
            Problem(
                "no_api_key",
                "`api_key` is missing",
                "settings",
                0,
                "make one: clearance agent key NAME; or log in: clearance login",
            )
        )
    if problems:
        raise ConfigurationError(problems)


def _storable(report: OutcomeReport) -> OutcomeReport:
    """What the server would store of it: no secret and no more than that has to cross the wire."""
    return OutcomeReport(
        status=report.status, result=redact.stored(report.result), error=redact.stored(report.error)
    )


def _succeeded(result: Any) -> OutcomeReport:
    """With all of the result: what is not sent is not judged."""
    return OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=result)


def _judged(result: Any, told: ResultShown | None) -> Judged:
    if told is None or not (told.withheld or told.redacted):
        return Judged(value=result)
    if not told.withheld:
        return Judged(value=told.value, redacted=told.redacted)
    reason = Reason(code=ReasonCode.RESULT_WITHHELD, message=told.reason)
    return Judged(value=None, decision=Decision(effect=Effect.DENY, reasons=(reason,)))


def _run(agent: str, goal: str, parent_run_id: str) -> dict[str, str]:
    return {"agent": agent, "goal": goal, "parent_run_id": parent_run_id}


def _filters(query: RunQuery | RecordQuery | HoldQuery) -> dict[str, str]:
    """The fields that filter, as query parameters; times in ISO 8601."""
    given: dict[str, Any] = msgspec.to_builtins(query)
    return {name: str(value) for name, value in given.items() if value not in ("", None)}


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _encoded(body: Any) -> bytes | None:
    """JSON; a Python object that is not JSON is told by its text, as the policies will see it."""
    return None if body is None else msgspec.json.encode(body, enc_hook=str)


def _unreachable(error: Exception) -> NoReturn:
    slow = isinstance(error, httpx.TimeoutException)
    what = "did not answer in time" if slow else f"cannot be reached ({type(error).__name__})"
    raise UnreachableError(
        f"The control point {what}; the action did not run. Is `clearance serve` up, and `url` right?"
    ) from None


def _read(response: httpx.Response, answer: type[T]) -> T:
    if response.status_code in (200, 201):
        try:
            return msgspec.json.decode(response.content, type=answer)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
            raise ProtocolError(_NONSENSE) from None
    raise _error(response)


def _error(response: httpx.Response) -> ClearanceError:
    try:
        told = msgspec.json.decode(response.content, type=_ErrorAnswer).error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return ProtocolError(f"{_NONSENSE} (HTTP {response.status_code})")
    if told.code == PolicyError.code:
        return PolicyError(told.problems)
    if told.code == PolicyViolationError.code:
        return PolicyViolationError(told.message, reason_code=told.reason_code, action_id=told.action_id)
    if told.code == RestoreConflictError.code:
        return RestoreConflictError(told.message, keys=told.keys)
    if told.code.startswith(_APPROVAL):
        return ApprovalError(told.message, reason=told.code)
    if told.code in _BY_CODE:
        return _BY_CODE[told.code](told.message)
    if response.status_code >= 500:
        return UnreachableError(f"The control point failed ({told.code}); the action did not run.")
    return RequestError(told.message, reason=told.code)
