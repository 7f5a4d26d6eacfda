"""The only input to a policy: principal, action, resources, context, and the facts known so far."""

from __future__ import annotations

from msgspec import Struct

from clearance.core.model.action import Action
from clearance.core.model.context import Context
from clearance.core.model.facts import Fact
from clearance.core.model.principal import Principal
from clearance.core.model.resource import Resource


class Request(Struct, frozen=True, kw_only=True):
    """One action, before it is decided. `resources` is never empty: without one, the tool stands in."""

    principal: Principal
    action: Action
    resources: tuple[Resource, ...]
    context: Context
    facts: dict[str, Fact] = {}
