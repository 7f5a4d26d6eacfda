"""`clearance token`: tokens of services, on the store itself. A secret is printed once."""

from __future__ import annotations

from datetime import timedelta

import click

from clearance.cli.human_time import minute
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.core.model import Credential
from clearance.wiring import utc_now

_MOST_DAYS = 3_650


@click.group()
def token() -> None:
    """Make, rotate and revoke tokens of services. Works on the store itself.

    \b
    Example:
      clearance token create deploy
    """


@token.command()
@click.argument("name")
@click.option("--expires-days", type=click.IntRange(1, _MOST_DAYS), help="It ends after so many days (90).")
@click.option("--label", default="", help="What it is for.")
@json_option
@store_option
@click.pass_obj
def create(target: Target, name: str, *, expires_days: int | None, label: str, as_json: bool) -> None:
    """Make a token for a service and print it, this once.

    \b
    Example:
      clearance person add deploy --role operator --service
      export CLEARANCE_API_KEY=$(clearance token create deploy)
    """
    expires_at = utc_now() + timedelta(days=expires_days) if expires_days else None
    with target.store() as store:
        text, made = store.people.issue_token(
            name, by=local_person().name, expires_at=expires_at, label=label
        )
    _say_token(text, made, as_json=as_json)


@token.command("list")
@click.argument("name", default="")
@json_option
@store_option
@click.pass_obj
def list_tokens(target: Target, name: str, *, as_json: bool) -> None:
    """List tokens, of one service or of all: never their secrets.

    \b
    Example:
      clearance token list
    """
    with target.store() as store:
        if name:
            store.people.person(name)
        found = store.people.tokens(name)
    if as_json:
        say_json({"tokens": [_told(one) for one in found]})
    elif found:
        rows = [
            (one.credential_id, one.subject, minute(one.created_at), _state(one), one.label) for one in found
        ]
        say_table(("token id", "service", "created (UTC)", "state", "label"), rows)
    else:
        say("No tokens.")


@token.command()
@click.argument("token_id")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, 720),
    default=24.0,
    show_default=True,
    help="How long the old one still holds.",
)
@json_option
@store_option
@click.pass_obj
def rotate(target: Target, token_id: str, *, overlap_hours: float, as_json: bool) -> None:
    """Make a token's successor and print it; the old one ends after the overlap.

    \b
    Example:
      clearance token rotate 4f1c09ab77de --overlap-hours 1
    """
    with target.store() as store:
        text, made = store.people.rotate_token(
            token_id, by=local_person().name, overlap_seconds=overlap_hours * 3_600
        )
    _say_token(text, made, as_json=as_json)


@token.command()
@click.argument("token_id")
@json_option
@store_option
@click.pass_obj
def revoke(target: Target, token_id: str, *, as_json: bool) -> None:
    """Revoke a token, at once and for good.

    \b
    Example:
      clearance token revoke 4f1c09ab77de
    """
    with target.store() as store:
        revoked = store.people.revoke_token(token_id, by=local_person().name)
    if as_json:
        say_json(_told(revoked))
    else:
        say(f"Revoked token {revoked.credential_id} of {revoked.subject}.")


def _say_token(text: str, made: Credential, *, as_json: bool) -> None:
    """The token alone to stdout, for scripts; what to know about it to stderr."""
    if as_json:
        say_json({"token": text, **_told(made)})
        return
    ends = minute(made.expires_at, otherwise="never")
    click.echo(f"note: this token of {made.subject} is shown once and ends {ends} UTC; keep it now", err=True)
    say(text)


def _told(one: Credential) -> dict[str, object]:
    """A token without even the hash of its secret."""
    return {
        "id": one.credential_id,
        "name": one.subject,
        "label": one.label,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
    }


def _state(one: Credential) -> str:
    if one.revoked_at is not None:
        return f"revoked {minute(one.revoked_at)}"
    is_over = one.expires_at is not None and one.expires_at <= utc_now()
    return f"{'ended' if is_over else 'valid until'} {minute(one.expires_at, otherwise='never')}"
