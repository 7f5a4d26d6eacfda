"""Resources of a REST API: records by address, saved by GET, put back by PUT under conditions."""

from clearance.adapters.systems.http.system import HttpApi, open_system

__all__ = ["HttpApi", "open_system"]
