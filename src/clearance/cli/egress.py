"""`clearance egress`: what clients of the egress proxy need. Reads no store."""

from __future__ import annotations

from pathlib import Path

import click

from clearance.cli.output import json_option, say, say_json
from clearance.cli.target import Target, require_local, store_option


@click.group()
def egress() -> None:
    """What clients of the egress proxy need.

    \b
    Example:
      clearance egress ca --pem > clearance-ca.pem
    """


@egress.command()
@click.option("--pem", "as_pem", is_flag=True, help="Print the certificate itself.")
@json_option
@store_option
@click.pass_obj
def ca(target: Target, *, as_pem: bool, as_json: bool) -> None:
    """Where the certificate is that clients of intercepted hosts trust; it is made where there is none.

    \b
    Example:
      export SSL_CERT_FILE="$(clearance egress ca)"
    """
    from clearance.gateway.egress_proxy import Authority, ca_directory
    from clearance.wiring import MEMORY

    settings = target.settings()
    require_local(settings)
    if settings.store == MEMORY and not settings.egress.ca_directory:
        raise click.UsageError("A store in memory has no authority to show; set `ca_directory`.")
    certificate = Authority(ca_directory(Path(settings.store), settings)).certificate.resolve()
    pem = certificate.read_text(encoding="ascii")
    if as_json:
        say_json({"path": str(certificate), "pem": pem})
    else:
        say(pem.rstrip() if as_pem else str(certificate))
