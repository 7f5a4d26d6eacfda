"""One REST API as a `System`: it counts named records, saves them by GET, and puts them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clearance.adapters.systems.http.client import Client
from clearance.adapters.systems.http.counts import counted
from clearance.adapters.systems.http.options import HttpOptions, Undo, read_headers, read_options
from clearance.adapters.systems.http.records import Named, named
from clearance.adapters.systems.http.things import HttpThings
from clearance.adapters.systems.keyed import KeyedRecovery, Promise, effects_of, selectors, undoable
from clearance.core.model import (
    EffectClass,
    Environment,
    Exactness,
    Radius,
    Request,
    Reversibility,
    Saved,
    Touch,
)
from clearance.errors import RecoveryError
from clearance.ports import Measured, SystemInfo

MARKER: Final = "clearance-environment"  # a header of the answer to GET `base_url`
_SAMPLE: Final = 5


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> HttpApi:
    """Raises ConfigurationError. Reaches nothing yet."""
    return HttpApi(name, read_options(name, options), images=images)


class HttpApi(KeyedRecovery):
    """The records below one `base_url`."""

    def __init__(self, name: str, options: HttpOptions, *, images: Path) -> None:
        self._options = options
        self._client = Client(options, read_headers(name, options))
        self._records = HttpThings(self._client, options)
        super().__init__(name, self._records, images=images)

    def info(self) -> SystemInfo:
        promise, fingerprint = _promise(self._options), self._records.fingerprint()
        return SystemInfo(
            name=self.name,
            kind="http",
            fingerprint=fingerprint,
            environment=self._environment(fingerprint),
            can=("count named records", "put back the content of a record, unless it was changed since"),
            cannot=(*promise.irreversible, "save what a condition chooses, or what only a list shows"),
        )

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        try:
            found = named(request, names, self._options)
        except RecoveryError as error:
            found = Named(unknown=(str(error),))
        touches, unknown = self._touches(request, names, found)
        promise, saved = _promise(self._options), not found.unknown and undoable(request)
        fingerprint = self._records.fingerprint()
        return Measured(
            radius=Radius(
                system=self.name,
                fingerprint=fingerprint,
                environment=self._environment(fingerprint),
                effects=effects_of(request) | ({EffectClass.UNKNOWN} if unknown else set()),
                touches=touches,
                how="count endpoint" if found.by_condition and touches else "records named",
                reversibility=promise.reversibility if saved else Reversibility.NONE,
                irreversible=promise.irreversible,
                unknown=unknown,
            )
        )

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        if self._options.undo is Undo.NONE:
            raise RecoveryError(f"`{self.name}` is set to `undo: none`: nothing of it can be put back")
        found = named(request, names, self._options)
        if found.unknown:
            raise RecoveryError(
                f"what it touches is not known, so it is not saved: {'; '.join(found.unknown)}"
            )
        if sum(len(scope.keys or ()) for scope in found.scopes) > self._options.most_records:
            raise RecoveryError("it touches more than `most_records`: narrow the call, or raise the limit")
        promise, verb = _promise(self._options), request.action.operation
        return self.save_scopes(snapshot_id, found.scopes, promise=promise, operation=verb)

    def close(self) -> None:
        self._client.close()

    def _touches(
        self, request: Request, names: Sequence[str], found: Named
    ) -> tuple[tuple[Touch, ...], tuple[str, ...]]:
        verb = request.action.operation
        if not found.by_condition:
            touches = [
                Touch(
                    resource=each.resource,
                    operation=verb,
                    count=len(each.keys or ()),
                    sample=(each.keys or ())[:_SAMPLE],
                )
                for each in found.scopes
            ]
            return tuple(touches), found.unknown
        conditions, touches, unknown = selectors(request.action.arguments), [], []
        for name in dict.fromkeys(names):
            endpoint = self._options.count_paths.get(name)
            count = counted(self._client, endpoint, conditions) if endpoint else None
            exactness = Exactness.EXACT if count is not None else Exactness.UNKNOWN
            touches.append(Touch(resource=name, operation=verb, count=count, exactness=exactness))
            if count is None:
                why = (
                    "its count endpoint gave no count" if endpoint else "it has no entry under `count_paths`"
                )
                unknown.append(f"a condition chooses among `{name}`, and {why}")
        return tuple(touches), tuple(unknown)

    def _environment(self, fingerprint: str) -> Environment:
        """The configuration by fingerprint, then the server's own header, then unknown."""
        if fingerprint in self._options.environments:
            return self._options.environments[fingerprint]
        marker = self._client.exchange("GET", "/").headers.get(MARKER, "").strip().lower()
        return next((each for each in Environment if each.value == marker), Environment.UNKNOWN)


def _promise(options: HttpOptions) -> Promise:
    """Never exact: the server sets fields of its own, and tells others."""
    if options.undo is Undo.NONE:
        return Promise(reversibility=Reversibility.NONE, irreversible=("`undo: none` is configured",))
    found = [
        "webhooks and other effects of the change have happened, and happen again when it is put back",
        "fields that the server sets itself, such as times and versions, are not put back",
        "without a strong ETag, a change in the instant between reading and writing back is overwritten",
    ]
    if options.undo is Undo.POST:
        found.append("a deleted record returns with a new id; what refers to the old one does not follow")
    return Promise(reversibility=Reversibility.CONTENT, irreversible=tuple(found))
