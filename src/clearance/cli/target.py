"""Which control point a command talks to: a store opened here, or a server. Opens it; judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clearance.errors import StoreError

if TYPE_CHECKING:
    from clearance.config import Settings
    from clearance.sdk.backend import Backend
    from clearance.wiring import Assembly

F = TypeVar("F", bound=Callable[..., Any])
_LOCAL_ONLY = (
    "This command works on the store itself, and a server is configured; name the store: --store DIR"
)


@dataclass
class Target:
    """`given` are the options of this command line, by the name of their setting."""

    given: dict[str, str] = field(default_factory=dict)

    def settings(self, **more: Any) -> Settings:
        """Options win over the environment, which wins over clearance.yaml. Raises ConfigurationError."""
        from clearance.config import load_settings

        if "store" in self.given and "url" in self.given:
            raise click.UsageError("--store and --url exclude each other.")
        given: dict[str, Any] = {**self.given, **more}
        if "store" in given:
            given["url"] = ""
        return _with_session(load_settings(**given))

    @contextmanager
    def store(self, *, is_new_fine: bool = False) -> Iterator[Assembly]:
        """The store, opened here. Raises StoreError, also where there is none and none is to be made."""
        from clearance.wiring import assemble

        settings = self.settings()
        require_local(settings)
        if not is_new_fine:
            require_store(settings)
        assembly = assemble(settings)
        try:
            tell_closed(assembly)
            yield assembly
        finally:
            assembly.close()

    @contextmanager
    def backend(self, *, is_new_fine: bool = False) -> Iterator[Backend]:
        """The store or the server, behind one API."""
        settings = self.settings()
        opened = _remote(settings) if settings.url else _embedded(settings, is_new_fine=is_new_fine)
        try:
            yield opened
        finally:
            opened.close()


def _with_session(settings: Settings) -> Settings:
    """With the session of `clearance login`, where a server is named and no key."""
    if not settings.url or settings.api_key:
        return settings
    from msgspec.structs import replace

    from clearance.cli import session_file

    return replace(settings, api_key=session_file.session_of(settings.url))


def _remote(settings: Settings) -> Backend:
    from clearance.sdk.remote import RemoteBackend

    return RemoteBackend(settings)


def _embedded(settings: Settings, *, is_new_fine: bool) -> Backend:
    from clearance.sdk.embedded import EmbeddedBackend

    if not is_new_fine:
        require_store(settings)
    opened = EmbeddedBackend(settings)
    tell_closed(opened.assembly)
    return opened


def require_local(settings: Settings) -> None:
    """Raises UsageError where a server is configured: changing a store meant for another is no default."""
    if settings.url:
        raise click.UsageError(_LOCAL_ONLY)


def require_store(settings: Settings) -> None:
    """Reading must not make a store. Raises StoreError where there is none."""
    if not has_store(settings):
        raise StoreError(
            f"There is no store in {settings.store!r}; name another with --store, or a server with --url."
        )


def has_store(settings: Settings) -> bool:
    """Whether one is there."""
    directory = Path(settings.store)
    return any((*directory.glob("*.db"), *directory.glob("journal/*.db")))


def tell_closed(assembly: Assembly) -> None:
    """Say on stderr what recovery did when the store was opened."""
    many = len(assembly.closed)
    if many:
        what = "1 action" if many == 1 else f"{many} actions"
        click.echo(f"note: closed as unknown: {what} that a dead process left open", err=True)


def _remember(context: click.Context, option: click.Parameter, value: str | None) -> None:
    target = context.ensure_object(Target)
    if value is not None and option.name is not None:
        target.given[option.name] = value


def _option(name: str, metavar: str, text: str) -> Callable[[F], F]:
    return click.option(name, metavar=metavar, help=text, callback=_remember, expose_value=False)


def store_option(command: F) -> F:
    """For commands that work on a store only."""
    text = "Directory of the store (CLEARANCE_STORE; .clearance)."
    return _option("--store", "DIR", text)(command)


def target_options(command: F) -> F:
    """For commands that work on a store or on a server."""
    command = _option("--api-key", "KEY", "Key or token for that server (CLEARANCE_API_KEY).")(command)
    command = _option("--url", "URL", "A server instead of a store (CLEARANCE_URL).")(command)
    return store_option(command)
