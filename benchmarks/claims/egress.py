"""The egress proxy: tunnels opened a second, each durable; a large body through one beside the direct way."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from benchmarks.harness import Bench, Result, at_least, median_of, ours
from benchmarks.harness.result import at_least_times

ROUNDS = 3
SECONDS = 3  # of a round of tunnels
CONNECTIONS = (16, 64)
BODY_BYTES = 100_000_000
HOST = "localhost"
_PIECE = bytes(1 << 18)


def measure(bench: Bench) -> Iterator[Result]:
    from clearance.gateway.egress_proxy import Authority

    with bench.store() as directory:
        port, target, echo = _free_port(), _free_port(), _free_port()
        key = ours.agent_key(Path(directory, "store"))
        authority = Authority(Path(directory, "ca"))
        egress = {"port": port, "private": ["127.0.0.0/8", "::1/128"], "ports": [target, echo]}
        command = ours.command(Path(directory), {"egress": egress})
        environment = dict(ours.environment(Path(directory)))
        with (
            bench.aside(),
            bench.pinned(command, environment, Path(directory)),
            _side("serve", str(target), str(echo), directory),
        ):
            for connections in CONNECTIONS:
                bench.say(f"{connections} connections, {ROUNDS} rounds of {SECONDS} s")
                asked = ("open", str(port), key, str(echo), str(connections))
                rounds = [_asked(*asked) for _ in range(ROUNDS)]
                for part, unit in (("rate", "tunnels/s"), ("p50", "ms"), ("p99", "ms")):
                    yield Result(
                        claim=f"egress/{connections}_connections_{part}",
                        ours=median_of(rounds, part),
                        unit=unit,
                        higher_is_better=part == "rate",
                        target=at_least(2_000) if (connections, part) == (64, "rate") else None,
                        conditions={
                            "rounds": ROUNDS,
                            "seconds_per_round": SECONDS,
                            "durability": "on disk before each is opened; its end recorded, too",
                            "tunnel": "CONNECT, a TLS ClientHello, one byte back, the end",
                            "cores": "one for the proxy alone, the other for clients and server",
                            "policies": ours.POLICIES,
                        },
                    )
            bench.say(f"{BODY_BYTES / 1e6:g} MB of TLS, direct and through a tunnel, {ROUNDS} rounds")
            body = [
                _asked("fetch", str(port), key, str(target), str(authority.certificate))
                for _ in range(ROUNDS)
            ]
            yield Result(
                claim="egress/body_throughput",
                ours=median_of(body, "proxied"),
                peer=median_of(body, "direct"),
                peer_name="no proxy",
                unit="MB/s",
                higher_is_better=True,
                target=at_least_times(0.8),
                conditions={"rounds": ROUNDS, "bytes": BODY_BYTES, "tls": "end to end"},
            )


@contextmanager
def _side(*arguments: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.claims.egress", *arguments], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _asked(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.claims.egress", *arguments]
    told: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return told


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _connect(key: str, target: int) -> bytes:
    proof = base64.b64encode(f"-:{key}".encode()).decode()
    line = f"CONNECT {HOST}:{target} HTTP/1.1\r\nHost: {HOST}:{target}"
    return f"{line}\r\nProxy-Authorization: Basic {proof}\r\n\r\n".encode()


async def _serve(port: int, echo: int, directory: str) -> None:
    """TLS with a body for whoever says a byte; and, without TLS, a byte for whoever says anything."""
    from clearance.gateway.egress_proxy import Authority

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):
            for at in range(0, BODY_BYTES, len(_PIECE)):
                writer.write(_PIECE[: BODY_BYTES - at])
                await writer.drain()
        writer.close()

    context = Authority(Path(directory, "ca")).context(HOST)
    await asyncio.start_server(answer, "127.0.0.1", port, ssl=context)
    await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", echo, backlog=1_024)
    print("ready", flush=True)
    await asyncio.Event().wait()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        self._transport.write(b"x")


def _client_hello() -> bytes:
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=HOST)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


async def _open(port: int, key: str, target: int, connections: int) -> dict[str, float]:
    """Tunnels, one after the other on each of `connections`; times are until one is established."""
    head, hello, took = _connect(key, target), _client_hello(), list[float]()
    deadline = time.perf_counter() + SECONDS

    async def worker() -> None:
        while (began := time.perf_counter()) < deadline:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            took.append(time.perf_counter() - began)
            writer.write(hello)
            assert await reader.readexactly(1) == b"x"
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    rate = len(took) / (time.perf_counter() - began)
    took.sort()
    return {"rate": rate, "p50": took[len(took) // 2] * 1e3, "p99": took[len(took) * 99 // 100] * 1e3}


def _fetch(port: int, key: str, target: int, trusted: str) -> dict[str, float]:
    """Megabytes a second, one after the other."""
    import socket

    context = ssl.create_default_context(cafile=trusted)

    def once(raw: socket.socket, first: bytes) -> float:
        began = time.perf_counter()
        if first:
            raw.sendall(first)
            assert raw.recv(4096).startswith(b"HTTP/1.1 200")
        with context.wrap_socket(raw, server_hostname=HOST) as tls:
            tls.send(b"x")
            buffer, received = bytearray(1 << 18), 0
            while count := tls.recv_into(buffer):
                received += count
        assert received == BODY_BYTES
        return BODY_BYTES / 1e6 / (time.perf_counter() - began)

    direct = once(socket.create_connection(("127.0.0.1", target)), b"")
    return {
        "direct": direct,
        "proxied": once(socket.create_connection(("127.0.0.1", port)), _connect(key, target)),
    }


def _main(role: str, *given: str) -> None:
    import uvloop

    uvloop.install()
    match role:
        case "serve":
            asyncio.run(_serve(int(given[0]), int(given[1]), given[2]))
        case "open":
            print(json.dumps(asyncio.run(_open(int(given[0]), given[1], int(given[2]), int(given[3])))))
        case _:
            print(json.dumps(_fetch(int(given[0]), given[1], int(given[2]), given[3])))


if __name__ == "__main__":
    _main(*sys.argv[1:])
