"""The past of runs and agents, as far as policies look back. Holds windows; reads no clock and no store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from clearance.core.model import Fact, Operation, Request
from clearance.core.policy.chain import as_each_of_chain, delegators
from clearance.core.policy.sums import exactly
from clearance.core.policy.view import Scope, View
from clearance.core.policy.windows import Count, Distinct, Entry, Last, Total, Window

if TYPE_CHECKING:
    from clearance.core.policy.evaluate import PolicySet
    from clearance.core.policy.watch import Watch

_NOTHING: Mapping[str, Window] = {}
_MEASURED = "measured"
_ENTRIES_KEPT = 16_384  # actions under way of which it is known what they put where


class _Put(NamedTuple):
    """What an action put into one window."""

    window: Window
    entry: Entry
    fact: str

    def take_back(self) -> None:
        match self.window:
            case Total():
                self.window.remove(self.entry.at, self.entry.amount)
            case Last() | Count():
                self.window.remove(self.entry.at)
            case Distinct():
                pass  # a value that is there already is not counted again


_Place = tuple[Scope, str, str]  # a run's or an agent's window for one watch


class History:
    """What cleared actions left behind, for one PolicySet. Not safe to share between threads without a lock.

    After a restart the past of a run or agent is unknown: whoever drives asks `known`, then feeds every past
    request of that run or agent through `observe(request, scope=…)`, oldest first, or calls `begin` when
    there is none.
    """

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._watching = {operation: _watching(policies.watches, operation) for operation in Operation}
        self._scopes = frozenset(watch.scope for watch in policies.watches)
        self._windows: dict[tuple[Scope, str], dict[str, Window]] = {}
        self.watch_ids = frozenset(watch.id for watch in policies.watches)
        self._put: OrderedDict[str, dict[_Place, _Put]] = OrderedDict()  # by action

    def observe(
        self,
        request: Request,
        *,
        scope: Scope | None = None,
        agent: str = "",
        measured: Mapping[str, float] | None = None,
    ) -> None:
        """Remember a cleared action: in every watch whose match is not FALSE, of this scope or of both.

        It counts for its run once, and for every agent of its chain; with `agent`, for that one only. Whose
        past it is counts as known from here on. It counts in place of what it takes up. Facts that are
        `measured` already are added up as they came out; whether the action matches is said by those that it
        was cleared with.
        """
        if not self._scopes:
            return
        views = self._views(request)
        acting = [view for view in views if agent in ("", view.agent)]
        for one in self._scopes if scope is None else self._scopes & {scope}:
            for view in acting:
                self.begin(one, view.key_of(one))
        placed: dict[_Place, _Put] = {}
        for watch in self._watching[views[0].operation]:
            if scope not in (None, watch.scope):
                continue
            matching = [view for view in acting if watch.match.test(view)]
            for view in matching if watch.scope is Scope.AGENT else matching[:1]:
                self._feed(watch, view, measured or {}, placed)
        if placed:
            self._put.setdefault(request.context.action_id, {}).update(placed)
            if len(self._put) > _ENTRIES_KEPT:
                self._put.popitem(last=False)

    def settle(self, action_id: str, measured: Mapping[str, float]) -> None:
        """Add up what came out in place of what was reserved. Once: then it is forgotten what that was."""
        for put in self._put.pop(action_id, {}).values():
            after = exactly(measured.get(put.fact))
            if after is not None and isinstance(put.window, Total):
                put.window.change(put.entry.at, before=put.entry.amount, after=after)

    def _views(self, request: Request) -> list[View]:
        """The action as its agent did it, then as each other agent of its chain would have."""
        asked = [request]
        others = set(delegators(request.principal))
        if others:
            for one in as_each_of_chain(request):
                if one.principal.agent in others:
                    others.discard(one.principal.agent)
                    asked.append(one)
        return [View(one, roles=self._policies.roles_for(one.principal)) for one in asked]

    def _feed(
        self, watch: Watch, view: View, measured: Mapping[str, float], placed: dict[_Place, _Put]
    ) -> None:
        key = view.key_of(watch.scope)
        windows = self._windows[watch.scope, key]
        window = windows.get(watch.id)
        if window is None:
            window = windows[watch.id] = watch.make()
        place = (watch.scope, key, watch.id)
        if takes_up := view.request.context.takes_up:
            proposal = self._put.get(takes_up, {}).pop(place, None)
            if proposal is not None:
                proposal.take_back()
        if watch.fact in measured:
            watch.feed(window, _as_measured(view, measured))
        else:
            placed[place] = _Put(window, watch.feed(window, view), watch.fact)

    def windows(self, scope: Scope, key: str) -> Mapping[str, Window]:
        """What is remembered of a run or an agent, by watch id. To be read only."""
        return self._windows.get((scope, key), _NOTHING)

    def proposed(self, action_id: str, scope: Scope, key: str, watch_id: str) -> Entry | None:
        """What an action put into a window, while it has not been taken up."""
        put = self._put.get(action_id, {}).get((scope, key, watch_id))
        return None if put is None else put.entry

    def begin(self, scope: Scope, key: str) -> None:
        """Note that this run or agent has no past but what is observed from now on."""
        if scope in self._scopes:
            self._windows.setdefault((scope, key), {})

    def known(self, scope: Scope, key: str) -> bool:
        """Whether the past of this run or agent is held; True also when no policy looks at it."""
        return scope not in self._scopes or (scope, key) in self._windows

    def forget(self, scope: Scope, key: str) -> None:
        """Let go of a run that ended or an agent that is gone."""
        self._windows.pop((scope, key), None)


def _as_measured(view: View, measured: Mapping[str, float]) -> View:
    facts = {name: Fact(value=value, source=_MEASURED) for name, value in measured.items()}
    request = replace(view.request, facts={**view.request.facts, **facts})
    return View(request, roles=view.roles)


def _watching(watches: tuple[Watch, ...], operation: Operation) -> tuple[Watch, ...]:
    """The watches whose match may hold for an action of this operation."""
    return tuple(
        watch for watch in watches if watch.match.operations is None or operation in watch.match.operations
    )
