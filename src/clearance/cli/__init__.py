"""The command line. `main` is the entry point; each command's code is loaded when it is called."""

from clearance.cli.app import main

__all__ = ["main"]
