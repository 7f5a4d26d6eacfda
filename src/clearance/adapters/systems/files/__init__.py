"""A directory of files: counted, saved with every attribute, put back; rehearsed where the kernel lets us."""

from clearance.adapters.systems.files.rehearsal import NotPossibleHereError, Rehearsed, rehearse
from clearance.adapters.systems.files.system import FilesSystem, open_system

__all__ = ["FilesSystem", "NotPossibleHereError", "Rehearsed", "open_system", "rehearse"]
