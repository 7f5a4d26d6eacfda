"""`clearance agent learn`: a scope proposed from the record, and stored when a person says so."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
import yaml

from clearance.cli.output import json_option, say, say_json
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.cli.terminal_text import safe
from clearance.runtime.learning import MOST_DAYS, Learning, Proposal
from clearance.wiring import Assembly, utc_now


@click.command()
@click.argument("name")
@click.option(
    "--days",
    default=14,
    show_default=True,
    type=click.IntRange(1, MOST_DAYS),
    help="From the last so many days.",
)
@click.option("--run", "runs", multiple=True, metavar="RUN", help="From this run instead; again for more.")
@click.option("--ratify", is_flag=True, help="Store the proposal, after asking.")
@click.option("--yes", is_flag=True, help="With --ratify: do not ask.")
@json_option
@store_option
@click.pass_obj
def learn(
    target: Target, name: str, *, days: int, runs: tuple[str, ...], ratify: bool, yes: bool, as_json: bool
) -> None:
    """Propose the narrowest scope that lists all that an agent was seen to do.

    Writes nothing without --ratify. What is stored only narrows: an action has to be in it, and in what
    people wrote.

    \b
    Example:
      clearance agent learn billing --days 30 --ratify
    """
    with target.store() as store:
        learning = _learning(store)
        proposal = learning.propose(name, days=days, runs=runs, progress=_bar)
        if as_json:
            say_json(proposal)
        else:
            _say(proposal, days=days, runs=runs)
        if not ratify:
            return
        if not yes:
            click.confirm(
                f"Store this as the policy {proposal.learned.policy['name']}?", abort=True, err=True
            )
        version = learning.ratify(name, proposal.learned.policy, by=local_person().name)
    click.echo(f"stored as version {version.number} of the policies", err=True)


def _learning(store: Assembly) -> Learning:
    return Learning(store.journal, store.control_point.policies, clock=utc_now)


def _bar(steps: Iterable[int]) -> Iterable[int]:
    """A bar on stderr, where somebody looks at it."""
    if not sys.stderr.isatty():
        yield from steps
        return
    with click.progressbar(steps, label="reading the record", file=sys.stderr) as shown:
        yield from shown


def _say(proposal: Proposal, *, days: int, runs: tuple[str, ...]) -> None:
    learned = proposal.learned
    where = f"{len(runs)} run(s)" if runs else f"the last {days} day(s)"
    say(f"# {learned.actions} cleared actions of {safe(learned.agent)} in {where}.")
    scopes = ", ".join(map(safe, proposal.scopes)) or "none: nothing limits it to a list"
    say(f"# Scopes in force for it now: {scopes}.")
    many = (len(proposal.added), len(proposal.removed))
    if proposal.replaces:
        say(f"# Against the learned scope in force: {many[0]} entries new, {many[1]} gone.")
    for entry in proposal.removed:
        say(f"# gone: {safe(str(entry))}")
    if learned.refused_count:
        say(
            f"# It would refuse {learned.refused_count} of these actions, for what they touch cannot be read:"
        )
        say(f"#   {safe(', '.join(learned.refused))}")
    else:
        say("# Of these actions it would refuse none.")
    text = yaml.safe_dump(learned.policy, sort_keys=False, allow_unicode=False, width=100)
    say(text.rstrip("\n"))
