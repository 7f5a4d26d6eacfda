"""What may be stored, shown or sent. The last thing between a payload and the disk; decides nothing."""

from clearance.core.redact.opening import opened_whole
from clearance.core.redact.parts import stored_facts, stored_radius, stored_resources
from clearance.core.redact.storage import stored
from clearance.core.redact.text import clean_name, clean_text
from clearance.core.redact.transform import restorations, transformed
from clearance.core.redact.written import is_free_of, is_storable

__all__ = [
    "clean_name",
    "clean_text",
    "is_free_of",
    "is_storable",
    "opened_whole",
    "restorations",
    "stored",
    "stored_facts",
    "stored_radius",
    "stored_resources",
    "transformed",
]
