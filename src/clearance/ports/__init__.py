"""Every seam: what the runtime asks of the world. Each adapter has an in-memory twin.

The seams of judges and sinks join with the first adapter of each.
"""

from clearance.ports.approvals import Approvals, GrantStore, HoldQuery, HoldStore, Notice, Notifier, Outbox
from clearance.ports.brake import BrakeStore
from clearance.ports.identity import AgentStore, CredentialStore, Identity, PeopleStore, Presented
from clearance.ports.journal import Journal, RecordQuery, RunQuery, RunSummary, Verification
from clearance.ports.login import Begun, LoginProvider, Vouched
from clearance.ports.pins import PinStore
from clearance.ports.policies import PolicyStore, PolicyVersion
from clearance.ports.state import CallSoon, State
from clearance.ports.systems import Measured, Session, System, SystemInfo, Target

__all__ = [
    "AgentStore",
    "Approvals",
    "Begun",
    "BrakeStore",
    "CallSoon",
    "CredentialStore",
    "GrantStore",
    "HoldQuery",
    "HoldStore",
    "Identity",
    "Journal",
    "LoginProvider",
    "Measured",
    "Notice",
    "Notifier",
    "Outbox",
    "PeopleStore",
    "PinStore",
    "PolicyStore",
    "PolicyVersion",
    "Presented",
    "RecordQuery",
    "RunQuery",
    "RunSummary",
    "Session",
    "State",
    "System",
    "SystemInfo",
    "Target",
    "Verification",
    "Vouched",
]
