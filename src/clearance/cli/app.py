"""The command line's root: global options, the list of commands, and every error as one clear line."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import click

from clearance.cli.failures import INTERRUPTED, exit_code, tell
from clearance.cli.lazy_group import LazyGroup, Row
from clearance.cli.target import target_options
from clearance.errors import ClearanceError

_ROWS = {
    "demo": Row("clearance.cli.demo:demo_command", "Watch an injected instruction being stopped."),
    "serve": Row("clearance.cli.serve:serve", "Open the network doors."),
    "run": Row("clearance.cli.running:run", "Run a program behind all doors."),
    "check": Row("clearance.cli.check:check", "Decide one action, and record the decision."),
    "runs": Row("clearance.cli.runs:runs", "List runs, newest first."),
    "trace": Row("clearance.cli.trace:trace", "Read one run back, or search all records."),
    "holds": Row("clearance.cli.holds:holds", "List what waits for a person; show one whole."),
    "approve": Row("clearance.cli.answer:approve", "Say yes to a held action, as it is shown."),
    "deny": Row("clearance.cli.answer:deny", "Say no to a held action."),
    "grant": Row("clearance.cli.grant:grant", "Say yes in advance, within bounds; list and revoke."),
    "rollback": Row("clearance.cli.rollback:rollback", "Put back what an action or a run changed."),
    "snapshot": Row("clearance.cli.snapshot:snapshot", "Save state by hand; check what was saved."),
    "system": Row("clearance.cli.system:system", "List the real systems and what is guaranteed there."),
    "classify": Row("clearance.cli.classify:classify", "Tell what a statement or a command would do."),
    "policy": Row("clearance.cli.policy:policy", "Check, test, explain and change policies."),
    "notices": Row("clearance.cli.notices:notices", "Send the notices that wait."),
    "agent": Row("clearance.cli.agent:agent", "Register agents, their keys, what they may do."),
    "audit": Row("clearance.cli.audit:audit", "List what people did: agents, policies, answers."),
    "brake": Row("clearance.cli.brake:brake", "List what is stopped."),
    "pause": Row("clearance.cli.brake:pause", "Stop an agent, a team, a tool, or all."),
    "quarantine": Row("clearance.cli.brake:quarantine", "Pause, and void what was approved before."),
    "resume": Row("clearance.cli.brake:resume", "Let what was stopped go on."),
    "break-glass": Row("clearance.cli.brake:break_glass", "Open emergency access; raises an alarm."),
    "end-glass": Row("clearance.cli.brake:end_glass", "End emergency access before its time."),
    "person": Row("clearance.cli.person:person", "Add, change and turn off whoever rules agents."),
    "token": Row("clearance.cli.token:token", "Make, rotate and revoke tokens of services."),
    "login": Row("clearance.cli.login:login", "Log in to a server."),
    "logout": Row("clearance.cli.login:logout", "End the session of a server."),
    "whoami": Row("clearance.cli.login:whoami", "Say who a server takes you for."),
    "mcp": Row("clearance.cli.mcp:mcp", "Put Clearance between MCP clients and servers."),
    "egress": Row("clearance.cli.egress:egress", "Show what clients of the egress proxy trust."),
    "store": Row("clearance.cli.store:store", "Verify, measure and prune the store."),
    "version": Row("clearance.cli.version:version", "Print the version."),
}
_EPILOG = """\b
Examples:
  clearance check delete --resource production.users
  clearance trace last

\b
Exit codes:
  0    done; allowed; every check passed
  1    refused; failed; problems found
  2    the command line itself is wrong
  3    the control point or the store could not be reached or read
  130  interrupted
"""


class _App(LazyGroup):
    """Turns what Clearance raises into a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ClearanceError as error:
            tell(error)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(
    "clearance",
    cls=_App,
    rows=_ROWS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@target_options
def app() -> None:
    """Clearance: no agent action executes without it.

    Commands work on the store in `.clearance/` here, on another one with --store, or on a server with --url.
    clearance.yaml and CLEARANCE_* variables set the same; options win.
    """


def main() -> None:
    """Run the command line of this process. Never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an old terminal must not stop a trace
    app(prog_name="clearance")
