"""What it costs per call to know who asks: a key, a token seen before, a token seen for the first time."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from benchmarks.harness import Bench, Result, at_most, beats_peer, latencies, median_of

ROUNDS = 5
CALLS = 1_000
AGENTS = 1_001  # with a key each, in the store; one more than are timed


def ours(directory: str, what: str) -> Iterator[dict[str, float]]:
    """`Identities.identify_known`, as the HTTP door asks it; keys and agents are in SQLite."""
    from datetime import UTC, datetime
    from pathlib import Path

    from clearance.adapters.identity import new_key, proofs
    from clearance.adapters.store import SqliteState
    from clearance.config import IdentitySettings, OidcProvider
    from clearance.core.model import Agent
    from clearance.ports import Presented
    from clearance.runtime.identities import Identities
    from tests.servers.issuer import Issuer

    at, state, issuer = datetime.now(UTC), SqliteState(Path(directory)), Issuer()
    texts = []
    for index in range(AGENTS):
        name = f"agent-{index}"
        state.agents.add_agent(Agent(name=name, created_at=at))
        text, stored = new_key(name, at=at)
        state.credentials.add_credential(stored)
        texts.append(text)
    if what != "key":
        texts = _tokens(issuer)
    provider = OidcProvider(name="idp", issuer=issuer.url, audience=("clearance",))

    def warmed(known: list[str]) -> Identities:
        identity = Identities(
            proofs(IdentitySettings(providers=(provider,)), state, arrived=lambda *_, **__: None)
        )
        for text in known:
            identity.identify(Presented(credential=text), at)
        return identity

    presented = [Presented(credential=text) for text in texts[1:]]
    try:
        while True:
            # A fresh one has seen no token but the first, which brings the issuer's keys.
            identity = warmed(texts[:1] if what == "uncached" else texts)

            def identify(index: int, asked: Identities = identity) -> None:
                assert asked.identify_known(presented[index], at) is not None

            yield latencies(identify, CALLS)
    finally:
        issuer.close()
        state.close()


def bare() -> Iterator[dict[str, float]]:
    """joserfc alone, in our interpreter: signature, issuer, audience and times, no registry and no memory."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    from tests.servers.issuer import Issuer

    issuer = Issuer()
    tokens, keys = _tokens(issuer)[1:], KeySet.import_key_set(issuer.jwks())
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer.url},
        aud={"essential": True, "value": "clearance"},
        exp={"essential": True},
    )

    def decode(index: int) -> None:
        claims.validate(jwt.decode(tokens[index], keys, algorithms=["RS256"]).claims)

    try:
        while True:
            yield latencies(decode, CALLS)
    finally:
        issuer.close()


def measure(bench: Bench) -> Iterator[Result]:
    for what, target in (("key", at_most(50)), ("cached", beats_peer()), ("uncached", None)):
        bench.say(f"{what}, {ROUNDS} rounds a side")
        with (
            bench.store() as directory,
            bench.ours("ours", directory=directory, what=what) as first,
            bench.ours("bare") as second,
        ):
            rounds = [(first.round(), second.round()) for _ in range(ROUNDS)]
        for part in ("p50", "p99"):
            yield Result(
                claim=f"auth/{'key' if what == 'key' else f'{what}_jwt'}_{part}",
                ours=median_of((one for one, _ in rounds), part),
                peer=None if what == "key" else median_of((one for _, one in rounds), part),
                peer_name="" if what == "key" else f"joserfc {version('joserfc')}, decode and claims",
                unit="µs",
                target=target if part == "p50" else None,
                conditions={
                    "rounds": ROUNDS,
                    "calls_per_round": CALLS,
                    "agents": AGENTS,
                    "signature": "RS256",
                },
            )


def _tokens(issuer: object) -> list[str]:
    """One more than are timed, of as many agents."""
    import time

    from tests.servers.issuer import Issuer

    assert isinstance(issuer, Issuer)
    common = {"iss": issuer.url, "aud": "clearance", "exp": int(time.time()) + 3_600}
    return [
        issuer.token({**common, "sub": f"agent-{index % AGENTS}", "jti": str(index)})
        for index in range(CALLS + 1)
    ]
