"""`clearance version`: which Clearance this is."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from clearance.cli.output import json_option, say, say_json


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print the version of Clearance, and of the Python it runs on.

    \b
    Example:
      clearance version --json
    """
    ours, python = metadata.version("clearance"), platform.python_version()
    if as_json:
        say_json({"clearance": ours, "python": python})
    else:
        say(f"clearance {ours} (Python {python})")
