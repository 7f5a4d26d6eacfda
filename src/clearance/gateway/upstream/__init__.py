"""The one HTTP client of the network doors, towards model providers, MCP servers and everything else."""

from clearance.gateway.upstream.client import UpstreamClient
from clearance.gateway.upstream.errors import UpstreamError
from clearance.gateway.upstream.origin import Origin
from clearance.gateway.upstream.request import OutRequest
from clearance.gateway.upstream.response import Response

__all__ = ["Origin", "OutRequest", "Response", "UpstreamClient", "UpstreamError"]
