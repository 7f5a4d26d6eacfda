"""`clearance run`: a program with every door set for it, and nothing else to hold."""

from clearance.cli.running.command import run

__all__ = ["run"]
