"""Several upstreams by name: asked in order until one answers. What broke off is not asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from msgspec import Struct

from clearance.config.models import Upstream
from clearance.gateway.upstream.breaker import Breaker
from clearance.gateway.upstream.client import UpstreamClient
from clearance.gateway.upstream.errors import UpstreamError
from clearance.gateway.upstream.origin import Origin
from clearance.gateway.upstream.request import OutRequest
from clearance.gateway.upstream.response import Response

_FAILING = frozenset({500, 502, 503, 504, 529})  # 529: Anthropic's "overloaded"
_AGAIN = _FAILING | {429}  # busy with this key: not broken, but another upstream may take it
_FIRST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS = 2.0  # who asks for more is not asked again for this call: its client knows better

_RESTING = "What serves this has failed too often just now; it is asked again in a while."

Make = Callable[[str, Upstream], tuple[Origin, OutRequest]]


class Attempt(Struct, frozen=True):
    """One upstream, asked once. `status` is that of its answer's head, or the code of what went wrong."""

    upstream: str
    status: str
    seconds: float
    rests: bool  # after it: its breaker is open


Tell = Callable[[Attempt], None]


def _nobody(_: Attempt) -> None: ...


class _Line:
    """One upstream and what it takes to ask it. `attempts` and `failures` are counted since the start."""

    __slots__ = ("attempts", "breaker", "client", "failures", "settings", "tell")

    def __init__(self, settings: Upstream, tell: Tell) -> None:
        self.settings = settings
        self.tell = tell
        self.attempts = self.failures = 0
        self.breaker = Breaker(open_after=settings.open_after_failures, open_seconds=settings.open_seconds)
        self.client = UpstreamClient(
            most_connections=settings.most_connections,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            timeout_seconds=settings.timeout_seconds,
            ca_file=settings.ca_file,
            proxy=settings.proxy,
        )

    async def ask(self, make: Make, name: str) -> Response:
        """Once. The breaker hears what becomes of it; too many calls of our own are not its fault."""
        self.attempts += 1
        began = perf_counter()
        try:
            response = await self.client.send(*make(name, self.settings))
        except UpstreamError as error:
            if error.reason == "upstream_too_busy":
                self.breaker.gave_up()
            else:
                self._failed()
            self.tell(Attempt(name, error.reason, perf_counter() - began, self.breaker.is_open))
            raise
        except BaseException:
            self.breaker.gave_up()
            raise
        if response.status in _FAILING:
            self._failed()
        else:
            self.breaker.succeeded()
        self.tell(Attempt(name, str(response.status), perf_counter() - began, self.breaker.is_open))
        return response

    def _failed(self) -> None:
        self.failures += 1
        self.breaker.failed(asyncio.get_running_loop().time())


class _Turns:
    """Who is asked next: everybody once, in order, then, after a pause, whoever has attempts left."""

    __slots__ = ("_due", "_lines", "_names", "_pause", "_spent", "_turn")

    def __init__(self, names: Sequence[str], lines: Mapping[str, _Line]) -> None:
        self._names = names
        self._lines = lines
        self._due: list[str] = []
        self._spent: set[str] = set()
        self._turn = 0
        self._pause = 0.0

    async def next(self) -> tuple[str, _Line] | None:
        """None: nobody is left."""
        clock = asyncio.get_running_loop().time
        while True:
            while self._due:
                name = self._due.pop(0)
                if self._lines[name].breaker.takes(clock()):
                    return name, self._lines[name]
            now = clock()
            self._due = [name for name in self._names if self._has_turn(name, self._lines[name], now)]
            if not self._due:
                return None
            if self._turn:
                await asyncio.sleep(self._pause)
            self._pause = min(_FIRST_PAUSE_SECONDS * 2**self._turn, _MOST_PAUSE_SECONDS)
            self._turn += 1

    def heard(self, name: str, response: Response) -> None:
        """It asks for a pause, or for a longer one than is made here."""
        wanted = _retry_after(response)
        if wanted > _MOST_PAUSE_SECONDS:
            self._spent.add(name)
        self._pause = max(self._pause, min(wanted, _MOST_PAUSE_SECONDS))

    def _has_turn(self, name: str, line: _Line, now: float) -> bool:
        return self._turn < line.settings.attempts and name not in self._spent and not line.breaker.rests(now)


class Upstreams:
    """Belongs to one event loop. A call goes round its upstreams; each is asked `attempts` times at most.

    `tell` hears of every attempt.
    """

    def __init__(self, settings: Mapping[str, Upstream], tell: Tell = _nobody) -> None:
        self._lines = {name: _Line(each, tell) for name, each in settings.items()}

    async def call(self, names: Sequence[str], make: Make) -> tuple[str, Response]:
        """The first answer that is not to be asked for again, or the last one; and whose it is.

        `make` makes the request for an upstream. Raises UpstreamError when nobody could be asked, and at once
        when somebody was and may have acted on it.
        """
        turns = _Turns(names, self._lines)
        problem: UpstreamError | None = None
        last: tuple[str, Response] | None = None  # the last answer, until there is a better one
        try:
            while (turn := await turns.next()) is not None:
                name, line = turn
                try:
                    response = await line.ask(make, name)
                except UpstreamError as error:
                    if error.sent:
                        raise
                    problem = error
                    continue
                before, last = last, (name, response)
                if before is not None:
                    await before[1].aclose()
                if response.status not in _AGAIN:
                    return last
                turns.heard(name, response)
        except BaseException:
            if last is not None:
                await last[1].aclose()
            raise
        if last is None:
            raise problem or UpstreamError(_RESTING, reason="upstream_resting", sent=False)
        return last

    @property
    def attempts(self) -> dict[str, int]:
        """How often each was asked since the start."""
        return {name: line.attempts for name, line in self._lines.items()}

    @property
    def failures(self) -> dict[str, int]:
        """How often each did not answer, or said that it could not."""
        return {name: line.failures for name, line in self._lines.items()}

    @property
    def open_breakers(self) -> list[str]:
        """Who is left alone now, or has one call to show that it is well."""
        return [name for name, line in self._lines.items() if line.breaker.is_open]

    async def close(self) -> None:
        """End everything."""
        for line in self._lines.values():
            await line.client.close()


def _retry_after(response: Response) -> float:
    """Seconds. A date is as good as none: clocks differ by more than what is waited here."""
    for name, value in response.headers:
        if name == b"retry-after" and value.isdigit():
            return float(value)
    return 0.0
