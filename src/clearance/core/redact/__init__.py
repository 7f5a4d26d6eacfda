"""What may be stored, shown or sent. The last thing between a payload and the disk; decides nothing."""

from clearance.core.redact.opening import opened_whole
from clearance.core.redact.parts import stored_facts, stored_radius, stored_resources
from clearance.core.redact.storage import stored
from clearance.core.redact.text import clean_name, clean_text
from clearance.core.redact.transform import restorations, transformed

__all__ = [
    "clean_name",
    "clean_text",
    "opened_whole",
    "restorations",
    "stored",
    "stored_facts",
    "stored_radius",
    "stored_resources",
    "transformed",
]
