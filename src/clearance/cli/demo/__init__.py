"""`clearance demo`: AgentDojo's environments under clearance. Imports AgentDojo only when it is run."""

from clearance.cli.demo.command import demo_command

__all__ = ["demo_command"]
