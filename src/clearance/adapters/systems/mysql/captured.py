"""Run one change with images of every row that it touches, and write down what they are.

The rows are copied first, then the change runs, then both are compared, all in the caller's transaction.
"""

# ruff: noqa: S608 - names are quoted; nothing else is put in

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from clearance.adapters.systems.mysql import guard, images
from clearance.adapters.systems.mysql.capture import Part, Ran, capture_before, sample
from clearance.adapters.systems.mysql.catalogue import shown
from clearance.adapters.systems.mysql.compare import compare
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.images import AFTER, image_of
from clearance.adapters.systems.mysql.inserted import capture_inserted
from clearance.adapters.systems.mysql.plan import Plan
from clearance.core.model import Operation, Touch


def run_captured(
    link: Link, plan: Plan, text: str, *, snapshot_id: str, most_rows: int, asks: Sequence[str] = ()
) -> Ran:
    """Run with images of the rows and of the whole closure; `asks` are put at the end, all in one.

    Raises TooManyError, the driver's error.
    """
    number = images.number_of(snapshot_id)
    if plan.change.verb == "INSERT":
        ran, parts = _inserted(link, plan, text, number)
    else:
        held = capture_before(link, plan, number, most_rows=most_rows)
        ran, parts = compare(link, plan, link.run(text), number, held=held)
    row = guard.write(
        link,
        snapshot_id,
        number,
        state="settled",
        reversibility=ran.reversibility,
        why=(*ran.why_not, *ran.short),
    )
    written = [guard.write_part(number, image, counts) for image, counts in parts if any(counts[:2])]
    keys = link.batch([*written, row, "SET SESSION timestamp=DEFAULT", *asks])
    return replace(ran, kept=sum(max(counts[:2]) for _, counts in parts), keys=tuple(keys))


def _inserted(link: Link, plan: Plan, text: str, number: int) -> tuple[Ran, list[Part]]:
    cursor = link.run(text)
    table = plan.tables[plan.names[0]]
    image = image_of(table)
    found = capture_inserted(
        link, plan.change, image, number, added=cursor.rowcount, first=cursor.lastrowid or 0
    )
    why = () if found == cursor.rowcount else ("which rows are new cannot be told by their keys",)
    if why:
        link.run(f"DELETE FROM {image.quoted} WHERE n = {number} AND phase = {AFTER}")
    asked = [images.checksum(image, number, crc=link.has_crc32c), sample(image, number, AFTER)]
    ((counts,), keys) = link.batch(asked)
    before, after, digest = (int(part) for part in counts)
    touch = Touch(
        resource=shown(table.name),
        operation=Operation.CREATE,
        count=cursor.rowcount,
        sample=tuple(images.key_text(key) for key in keys),
    )
    return Ran(cursor=cursor, touches=(touch,), why_not=why), [(image, (before, after, digest))]
