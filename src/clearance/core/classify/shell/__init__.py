"""A command line to its effects: bash is parsed, wrappers are opened, a catalogue says what commands do."""

from clearance.core.classify.shell.call import SqlReader
from clearance.core.classify.shell.file_only import file_only
from clearance.core.classify.shell.reader import classify_shell

__all__ = ["SqlReader", "classify_shell", "file_only"]
