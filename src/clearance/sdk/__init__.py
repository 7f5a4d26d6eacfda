"""The in-process door. Cooperative: it holds the code that goes through it, and no other."""

from clearance.sdk.braked import brake_is_on
from clearance.sdk.client import Client
from clearance.sdk.guard import guard
from clearance.sdk.run import Run

__all__ = ["Client", "Run", "brake_is_on", "guard"]
