"""`clearance login`, `logout`, `whoami`: a session of a server, kept in a file that only this user reads."""

from __future__ import annotations

import secrets
import webbrowser
from urllib.parse import urlencode

import click

from clearance.cli import session_file
from clearance.cli.failures import stop
from clearance.cli.loopback import Loopback
from clearance.cli.output import json_option, say, say_json
from clearance.cli.passwords import known_password, stdin_option
from clearance.cli.target import Target, target_options
from clearance.cli.terminal_text import safe
from clearance.config import Settings
from clearance.sdk.people import PeopleClient, Session

_WAIT_SECONDS = 600.0


@click.command()
@click.option("--name", default="", help="A local account; its password is asked for.")
@click.option("--provider", default="", help="The identity provider to log in at.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
@stdin_option
@json_option
@target_options
@click.pass_obj
def login(
    target: Target, *, name: str, provider: str, no_browser: bool, from_stdin: bool, as_json: bool
) -> None:
    """Log in to a server; commands with --url use the session from then on.

    Without --name it is the server's only identity provider that is asked.

    \b
    Examples:
      clearance login --url https://clearance.example.com
      clearance login --url http://127.0.0.1:8700 --name alice
    """
    if name and provider:
        raise click.UsageError("--name and --provider exclude each other.")
    settings = _server(target, is_fresh=True)
    with PeopleClient(settings) as server:
        if name:
            session = server.log_in(name, known_password(from_stdin=from_stdin))
        else:
            session = _at_provider(settings, server, provider, is_printed=no_browser)
    session_file.keep(settings.url, session.session)
    if as_json:
        say_json({"name": session.name, "roles": session.roles})
    else:
        say(f"Logged in as {safe(session.name)}: {', '.join(session.roles) or 'no role'}.")


@click.command()
@json_option
@target_options
@click.pass_obj
def logout(target: Target, *, as_json: bool) -> None:
    """End the session of a server, there and here.

    \b
    Example:
      clearance logout --url https://clearance.example.com
    """
    settings = _server(target)
    if not session_file.session_of(settings.url):
        stop("There is no session of this server.")
    try:
        with PeopleClient(settings) as server:
            server.log_out()
    finally:
        session_file.forget(settings.url)
    if as_json:
        say_json({"url": settings.url})
    else:
        say("Logged out.")


@click.command()
@json_option
@target_options
@click.pass_obj
def whoami(target: Target, *, as_json: bool) -> None:
    """Say who a server takes this command line for.

    \b
    Example:
      clearance whoami --url https://clearance.example.com
    """
    with PeopleClient(_server(target)) as server:
        me = server.me()
    if as_json:
        say_json(me)
    else:
        say(f"{safe(me.name)} ({me.kind}): {', '.join(map(safe, me.roles)) or 'no role'}.")


def _server(target: Target, *, is_fresh: bool = False) -> Settings:
    settings = target.settings(**({"api_key": "none"} if is_fresh else {}))
    if not settings.url:
        raise click.UsageError("Name the server: --url URL (CLEARANCE_URL).")
    return settings


def _at_provider(settings: Settings, server: PeopleClient, provider: str, *, is_printed: bool) -> Session:
    """Send the browser away, wait for it on loopback, exchange what it brings."""
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    name = provider or _only(server.providers())
    verifier = secrets.token_urlsafe(48)
    with Loopback() as here:
        query = {"loopback_port": here.port, "challenge": create_s256_code_challenge(verifier)}
        url = f"{settings.url.rstrip('/')}/v1/login/{name}?{urlencode(query)}"
        click.echo(f"Log in here: {url}", err=True)
        if not is_printed:
            webbrowser.open(url)
        code = here.code(seconds=_WAIT_SECONDS)
    if not code:
        stop("Nobody logged in within ten minutes.")
    return server.exchange(code, verifier)


def _only(providers: list[str]) -> str:
    if not providers:
        raise click.UsageError("This server has no identity provider; name a local account: --name NAME.")
    if len(providers) > 1:
        raise click.UsageError(f"Name one of its identity providers: --provider {' | '.join(providers)}.")
    return providers[0]
