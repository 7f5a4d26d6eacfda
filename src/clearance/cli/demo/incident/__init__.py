"""The demo's second act: a migration command that would wipe a database, and a bulk update taken back."""

from clearance.cli.demo.incident.act import Incident, play
from clearance.cli.demo.incident.telling import lines

__all__ = ["Incident", "lines", "play"]
