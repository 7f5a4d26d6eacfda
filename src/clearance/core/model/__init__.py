"""The central types, in the field's terms. Values only: frozen, no behaviour beyond what they derive."""

from clearance.core.model.action import Action, Operation
from clearance.core.model.approval import (
    Answer,
    AnswerKind,
    Grant,
    Hold,
    HoldStatus,
    Requirement,
    Shown,
)
from clearance.core.model.brake import BreakGlass, Stop, StopKind, StopLevel
from clearance.core.model.context import Context
from clearance.core.model.decision import Decision, Effect, Mode, Reason, ReasonCode, Rule, Verdict
from clearance.core.model.effects import Classification, EffectClass, Named
from clearance.core.model.facts import Fact, FactValue
from clearance.core.model.finding import Finding, Severity
from clearance.core.model.held import HoldView
from clearance.core.model.judged import NO_RULES, Judged, ResultRules
from clearance.core.model.obligation import (
    KIND_OF,
    Approval,
    Inspect,
    Limit,
    Notify,
    Obligation,
    ObligationKind,
    Snapshot,
    Transform,
)
from clearance.core.model.pin import PinState, ToolPin
from clearance.core.model.point import Point
from clearance.core.model.principal import (
    MOST_ACTORS,
    Actor,
    ActorKind,
    AgentStatus,
    Bounds,
    Principal,
    Proof,
)
from clearance.core.model.radius import Exactness, Radius, Reversibility, Touch
from clearance.core.model.record import Draft, Durability, OutcomeStatus, Record, RecordKind
from clearance.core.model.recovery import (
    MOST_ITEMS,
    Item,
    ItemState,
    Restored,
    RestoreMode,
    RestoreStatus,
    Saved,
    Undone,
)
from clearance.core.model.registry import (
    PREFIX_OF,
    Agent,
    AgentSource,
    Credential,
    CredentialKind,
    Person,
    PersonSource,
)
from clearance.core.model.request import Request
from clearance.core.model.resource import Environment, Resource
from clearance.core.model.roles import Role
from clearance.core.model.tool import FactSpec, Family, ToolSpec
from clearance.core.model.wire import ActionCall, CheckResult, OutcomeReport, ResultShown

__all__ = [
    "KIND_OF",
    "MOST_ACTORS",
    "MOST_ITEMS",
    "NO_RULES",
    "PREFIX_OF",
    "Action",
    "ActionCall",
    "Actor",
    "ActorKind",
    "Agent",
    "AgentSource",
    "AgentStatus",
    "Answer",
    "AnswerKind",
    "Approval",
    "Bounds",
    "BreakGlass",
    "CheckResult",
    "Classification",
    "Context",
    "Credential",
    "CredentialKind",
    "Decision",
    "Draft",
    "Durability",
    "Effect",
    "EffectClass",
    "Environment",
    "Exactness",
    "Fact",
    "FactSpec",
    "FactValue",
    "Family",
    "Finding",
    "Grant",
    "Hold",
    "HoldStatus",
    "HoldView",
    "Inspect",
    "Item",
    "ItemState",
    "Judged",
    "Limit",
    "Mode",
    "Named",
    "Notify",
    "Obligation",
    "ObligationKind",
    "Operation",
    "OutcomeReport",
    "OutcomeStatus",
    "Person",
    "PersonSource",
    "PinState",
    "Point",
    "Principal",
    "Proof",
    "Radius",
    "Reason",
    "ReasonCode",
    "Record",
    "RecordKind",
    "Request",
    "Requirement",
    "Resource",
    "RestoreMode",
    "RestoreStatus",
    "Restored",
    "ResultRules",
    "ResultShown",
    "Reversibility",
    "Role",
    "Rule",
    "Saved",
    "Severity",
    "Shown",
    "Snapshot",
    "Stop",
    "StopKind",
    "StopLevel",
    "ToolPin",
    "ToolSpec",
    "Touch",
    "Transform",
    "Undone",
    "Verdict",
]
