"""`clearance classify`: what a statement or a command would do, without running it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from clearance.cli.failures import FAILED
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.core.model import Classification, EffectClass, Named, Operation
from clearance.core.normalize.dialects import Dialect, classify_text


class Answer(Struct, frozen=True, kw_only=True):
    """A classification as JSON: effects sorted, with the verb that policies see."""

    dialect: str
    operation: Operation
    effects: list[EffectClass]
    objects: tuple[Named, ...]
    unknown: tuple[str, ...]


@click.command()
@click.argument("text")
@click.option(
    "--dialect",
    required=True,
    type=click.Choice([one.value for one in Dialect]),
    help="What TEXT is written in.",
)
@click.option(
    "--dsn", help="A database to resolve names in; without one the text alone is judged, fail closed."
)
@json_option
def classify(text: str, dialect: str, dsn: str | None, *, as_json: bool) -> None:
    """Tell what TEXT would do: its effects, what it names, and what cannot be known and why. Runs nothing.

    Exits 0 when all of it was understood, and 1 when some of it is unknown, which policies take as anything.

    \b
    Examples:
      clearance classify --dialect postgres 'WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone'
      clearance classify --dialect shell --json 'DATABASE_URL=postgres://db/app npx prisma migrate reset'
    """
    found = _asked(Dialect(dialect), text, dsn) if dsn else classify_text(Dialect(dialect), text)
    answer = Answer(
        dialect=dialect,
        operation=found.operation,
        effects=sorted(found.effects),
        objects=found.objects,
        unknown=found.unknown,
    )
    if as_json:
        say_json(answer)
    else:
        _show(answer)
    if EffectClass.UNKNOWN in found.effects:
        raise click.exceptions.Exit(FAILED)


def _asked(dialect: Dialect, text: str, dsn: str) -> Classification:
    """Raises ConfigurationError, SystemUnavailableError."""
    from clearance.adapters.systems import open_session

    if dialect is Dialect.SHELL:
        raise click.UsageError("--dsn names a database; a shell command has none.")
    options: dict[str, Any] = {"dsn": dsn}
    with tempfile.TemporaryDirectory() as images:
        session = open_session(dialect.value, "classify", options, images=Path(images))
        try:
            return session.classify(text)
        finally:
            session.close()


def _show(answer: Answer) -> None:
    say(f"{answer.operation.value}: {', '.join(answer.effects)}")
    if answer.objects:
        say_table(
            ("object", "what is done to it"), [(one.name, one.operation.value) for one in answer.objects]
        )
    for why in answer.unknown:
        say(f"unknown: {why}")
