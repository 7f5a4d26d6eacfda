"""Opens a guarded connection, by the name of a configured system or by a DSN."""

from __future__ import annotations

from typing import Any

from clearance.errors import ConfigurationError, Problem
from clearance.sdk.client import Client
from clearance.sdk.embedded import EmbeddedBackend
from clearance.sql.connection import Connection

_KIND_OF_SCHEME = {
    "mariadb": "mysql",
    "mysql": "mysql",
    "postgres": "postgres",
    "postgresql": "postgres",
    "sqlite": "sqlite",
}


def connect(
    system: str,
    *,
    client: Client | None = None,
    name: str = "",
    autocommit: bool = False,
    **options: Any,
) -> Connection:
    """A connection whose every statement is an action of `client` (embedded; its own if none is given).

    `system` is a name under `systems:` in clearance.yaml, or a DSN: `postgresql://…`, `mysql://…`,
    `sqlite:///path`. A DSN's system is called `name` (else after its kind) for as long as the process lives;
    to undo from another process, configure it. `options` are those of its kind.

    Raises ConfigurationError, SystemUnavailableError, StoreError.
    """
    owned = client is None
    client = Client() if client is None else client
    try:
        backend = client.backend
        if not isinstance(backend, EmbeddedBackend):
            raise _problem(
                "a guarded connection needs the control point in this process: a Client without `url`"
            )
        kind, name, given = _described(backend, system, name)
        session = backend.assembly.open_session(kind, name, {**given, **options})
    except BaseException:
        if owned:
            client.close()
        raise
    return Connection(session, client, kind=kind, autocommit=autocommit, owns_client=owned)


def _described(backend: EmbeddedBackend, system: str, name: str) -> tuple[str, str, dict[str, Any]]:
    configured = backend.assembly.settings.systems
    if system in configured:
        given = dict(configured[system])
        return str(given.pop("kind")), system, given
    scheme, separator, _ = system.partition("://")
    kind = _KIND_OF_SCHEME.get(scheme.partition("+")[0].lower())
    if not separator or kind is None:
        known = ", ".join(configured) or "none"
        raise _problem(
            f"`{scheme if separator else system}` is no configured system (known: {known}) and no DSN"
        )
    return kind, name or kind, {"dsn": system}


def _problem(message: str) -> ConfigurationError:
    return ConfigurationError([Problem("wrong_value", message, "clearance.sql.connect")])
