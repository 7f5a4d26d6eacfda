"""What happens in the second act, played for real. Prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import Client, Environment, PolicyViolationError, Record
from clearance.cli.demo.incident import database
from clearance.cli.demo.incident.database import State
from clearance.config.settings import FILE
from clearance.core.model import RestoreStatus, Undone
from clearance.sql import connect

AGENT = "data-assistant"
GOAL = "Tidy up the customer database."
COMMAND = "alembic downgrade base"
MISTAKE = "UPDATE executives SET email = 'info@company1.example'"
SYSTEM = "crm"
_SETTINGS = f"""# What `clearance` needs, in this directory, to undo what the demo did.
store: .
systems:
  {SYSTEM}: {{kind: sqlite, path: crm.db}}
"""
_ROOM_FOR_BULK: dict[str, Any] = {
    "name": "bulk_changes",
    "rule": "block",
    "description": "The data team may change up to 2,000 records at once, and nothing that does not return.",
    "condition": {
        "operation": ["update", "delete"],
        "any": [{"record_count_exceeds": 2_000}, {"none": [{"reversibility": "exact"}]}],
    },
    "on_unknown": "skip",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Everything there is to tell. `refusal` is empty when the command was not stopped."""

    store: Path
    before: State
    control: State  # the copy, after the command ran without Clearance
    refusal: str
    after_command: State
    changed: int
    after_update: State
    undone: Undone
    after_undo: State
    same_rows: bool
    trace: list[Record]
    action_id: str

    @property
    def succeeded(self) -> bool:
        stopped = bool(self.refusal) and self.control.is_wiped and self.after_command == self.before
        returned = self.undone.status is RestoreStatus.RESTORED and self.same_rows
        return stopped and self.changed == database.EXECUTIVES and returned


def play(store: Path) -> Incident:
    """Play it on a database beneath `store`, which is made anew. Raises ClearanceError."""
    store.mkdir(parents=True, exist_ok=True)
    path = (store / "crm.db").resolve()
    (store / FILE).write_text(_SETTINGS, encoding="utf-8")
    database.build(path)
    before, rows = database.state(path), database.rows(path)
    copied = database.copy(path)
    database.migrate(copied, "downgrade base")
    with Client(store, agent=AGENT) as client:
        client.policies.replace("bulk_changes", _ROOM_FOR_BULK)
        with client.run(goal=GOAL, environment=Environment.UNKNOWN) as run:
            refusal = ""
            try:
                run.call("run_command", lambda command: _shell(path, command), {"command": COMMAND})
            except PolicyViolationError as refused:
                refusal = str(refused)
            after_command = database.state(path)
            with connect(f"sqlite:///{path}", client=client, name=SYSTEM) as guarded:
                done = guarded.execute(MISTAKE)
                guarded.commit()
            after_update = database.state(path)
        trace = client.trace(run.run_id)
        assert done.cleared is not None
        undone = client.undo(done.cleared)
        return Incident(
            store=store,
            before=before,
            control=database.state(copied),
            refusal=refusal,
            after_command=after_command,
            changed=done.rowcount,
            after_update=after_update,
            undone=undone,
            after_undo=database.state(path),
            same_rows=database.rows(path) == rows,
            trace=trace,
            action_id=undone.action_id,
        )


def _shell(path: Path, command: str) -> str:
    """The agent's shell, as far as this act needs one: what it is told to migrate, it migrates."""
    database.migrate(path, command.removeprefix("alembic "))
    return "done"
