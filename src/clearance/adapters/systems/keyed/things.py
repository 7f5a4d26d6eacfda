"""What a system must be able to do with one thing under one key, so that recovery can be done for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from clearance.adapters.systems.keyed.disk import Images
from clearance.core.model import ItemState


class Spot(Struct, frozen=True, kw_only=True, order=True):
    """Where one thing is, or was, or may be: the system's name of its collection, and its key in there."""

    resource: str
    key: str


class Scope(Struct, frozen=True, kw_only=True):
    """What a snapshot spans: every key of `resource`, or only those named."""

    resource: str
    keys: tuple[str, ...] | None = None


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one thing stood. Two states with one `digest` are the same; the digest of what is absent is empty.

    `tag` is the server's mark of this very state, for conditional writes. `image` names what was kept of it.
    `details` are the adapter's own.
    """

    digest: str = ""
    tag: str = ""
    image: str = ""
    bytes: int = 0
    details: dict[str, str] = {}

    @property
    def exists(self) -> bool:
        return bool(self.digest)


class Landed(Struct, frozen=True, kw_only=True):
    """What a write left behind. `spot` differs from the one asked for where the server gave a new identity.

    `differs` says, where the server took the write and holds something else, what to do about it.
    """

    spot: Spot
    state: State
    differs: str = ""


class RefusedError(Exception):
    """The thing could not be put back. It was changed since (CONFLICT), or never can be (SKIPPED)."""

    def __init__(self, why: str, *, state: ItemState = ItemState.CONFLICT) -> None:
        self.why = why
        self.state = state
        super().__init__(why)


class Things(Protocol):
    """The whole of what an adapter adds. Every method may be called from several threads at once.

    All raise SystemUnavailableError for what cannot be reached or is answered strangely.
    """

    at_once: int  # how many spots are worked on at the same time
    makes_anew: bool  # to create twice makes two: a creation whose answer was lost is never sent again

    def fingerprint(self) -> str:
        """Which real system answers now."""

    def find(self, scope: Scope) -> Sequence[str]:
        """The keys in scope that exist now; where the scope names its keys, all of those."""

    def look(self, spot: Spot) -> State:
        """How the thing stands now. Changes nothing."""

    def keep(self, spot: Spot, *, images: Images) -> State:
        """How the thing stands now, with an image of it that outlives the thing and a power cut."""

    def intact(self, spot: Spot, state: State, *, images: Images) -> bool:
        """Whether the image is there and is what was kept."""

    def put(self, spot: Spot, want: State, *, now: State, images: Images) -> Landed:
        """Make the thing as `want`, only if it stands as `now`. A RefusedError means: nothing changed."""

    def drop(self, snapshot_id: str) -> None:
        """Remove the images that are kept inside the system itself. Not raising when there are none."""
