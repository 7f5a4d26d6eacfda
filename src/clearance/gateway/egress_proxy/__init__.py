"""The egress proxy. From the wire up: listening, link tls, heads bodies, places addresses; one action."""

from clearance.gateway.egress_proxy.authority import Authority
from clearance.gateway.egress_proxy.door import EgressProxy, ca_directory

__all__ = ["Authority", "EgressProxy", "ca_directory"]
