"""Yeses in advance, and how often each was used."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import Grant
from clearance.errors import ConflictError, NotFoundError


class MemoryGrants(Counted):
    """GrantStore."""

    def __init__(self) -> None:
        super().__init__()
        self._grants: dict[str, Grant] = {}
        self._usable: dict[tuple[str, str], dict[str, None]] = {}  # ids by agent and tool

    def add_grant(self, grant: Grant) -> None:
        with self._lock:
            if grant.grant_id in self._grants:
                raise ConflictError("A grant of this id exists already.")
            self._put(grant)
            self._revision += 1

    def grant(self, grant_id: str) -> Grant | None:
        return self._grants.get(grant_id)

    def grants(self, *, agent: str = "", valid_at: datetime | None = None, limit: int = 1_000) -> list[Grant]:
        with self._lock:
            found = [
                grant
                for grant in self._grants.values()
                if agent in ("", grant.agent) and (valid_at is None or grant.is_valid(valid_at))
            ]
        found.sort(key=lambda grant: (grant.created_at, grant.grant_id), reverse=True)
        return found[: max(limit, 0)]

    def matching_grants(self, agent: str, tool: str, at: datetime) -> list[Grant]:
        with self._lock:
            found = [self._grants[grant_id] for grant_id in self._usable.get((agent, tool), ())]
        valid = [grant for grant in found if grant.is_valid(at)]
        return sorted(valid, key=lambda grant: (grant.created_at, grant.grant_id))

    def use_grants(self, grant_ids: tuple[str, ...], at: datetime) -> bool:
        with self._lock:
            found = [self._grants.get(grant_id) for grant_id in dict.fromkeys(grant_ids)]
            valid = [grant for grant in found if grant is not None and grant.is_valid(at)]
            if len(valid) < len(found):
                return False
            for grant in valid:
                self._put(replace(grant, used=grant.used + 1))
            return True

    def revoke_grant(self, grant_id: str, *, by: str, at: datetime) -> Grant:
        with self._lock:
            grant = self._grants.get(grant_id)
            if grant is None:
                raise NotFoundError("There is no grant of this id.")
            if grant.revoked_at is None:
                self._put(replace(grant, revoked_at=at, revoked_by=by))
                self._revision += 1
            return self._grants[grant_id]

    def _put(self, grant: Grant) -> None:
        self._grants[grant.grant_id] = grant
        same = self._usable.setdefault((grant.agent, grant.tool), {})
        if grant.revoked_at is None and grant.used < grant.most_uses:
            same[grant.grant_id] = None
        else:
            same.pop(grant.grant_id, None)
