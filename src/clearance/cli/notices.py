"""`clearance notices`: for a store that no server serves."""

from __future__ import annotations

import click

from clearance.cli.output import json_option, say, say_json
from clearance.cli.target import Target, store_option


@click.group()
def notices() -> None:
    """Send the notices that wait on a store. A server does that by itself.

    \b
    Example:
      clearance notices deliver
    """


@notices.command()
@json_option
@store_option
@click.pass_obj
def deliver(target: Target, *, as_json: bool) -> None:
    """Send what is due, once. What is not taken is due again later.

    \b
    Example:
      clearance notices deliver
    """
    with target.store() as store:
        sent = store.notices.deliver_due()
    if as_json:
        say_json({"sent": sent})
    else:
        say(f"Sent {sent} notice{'' if sent == 1 else 's'}.")
