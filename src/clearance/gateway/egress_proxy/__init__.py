"""The egress proxy. From the wire up: link tls, heads bodies, places addresses, then what one action is."""

from clearance.gateway.egress_proxy.authority import Authority
from clearance.gateway.egress_proxy.door import EgressProxy, ca_directory

__all__ = ["Authority", "EgressProxy", "ca_directory"]
