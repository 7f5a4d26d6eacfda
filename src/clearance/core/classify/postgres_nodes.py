"""The reviewed node kinds of PostgreSQL's grammar (18). A kind that is on no list here is unknown.

Only kinds that the grammar itself makes are listed; those of the analyser and planner never occur in text.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from clearance.core.model.action import Operation
from clearance.core.model.effects import EffectClass as E

# Kinds that do nothing by themselves: only what they hold counts.
_NEUTRAL: Final = """
    Node RawStmt Alias String Integer Float Boolean BitString List A_Const A_Star A_Indices A_ArrayExpr
    ParamRef CollateClause CaseExpr CaseWhen BoolExpr CoalesceExpr MinMaxExpr NullTest BooleanTest
    GroupingFunc GroupingSet NamedArgExpr RowExpr SQLValueFunction SetToDefault CurrentOfExpr ResTarget
    MultiAssignRef WindowDef JoinExpr RangeSubselect RangeFunction RangeTableFunc RangeTableFuncCol
    CommonTableExpr CTESearchClause CTECycleClause InferClause IndexElem OnConflictClause MergeWhenClause
    ReturningClause ReturningOption MergeSupportFunc XmlExpr XmlSerialize DefElem RoleSpec ObjectWithArgs
    FunctionParameter ColumnDef Constraint PartitionSpec PartitionElem PartitionBoundSpec
    PartitionRangeDatum PartitionCmd TableLikeClause TriggerTransition AccessPriv ReplicaIdentityStmt
    ATAlterConstraint PublicationObjSpec PublicationTable StatsElem CreateOpClassItem VacuumRelation
    JsonTablePathSpec JsonOutput JsonReturning JsonFormat JsonValueExpr JsonBehavior JsonKeyValue
    JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor
    JsonArrayQueryConstructor JsonAggConstructor JsonObjectAgg JsonArrayAgg JsonFuncExpr JsonIsPredicate
    JsonArgument JsonTable JsonTableColumn ReturnStmt
"""
NEUTRAL: Final = frozenset(_NEUTRAL.split())


class Meaning(NamedTuple):
    """What a statement does whatever it holds, and what it does to the relations it names itself."""

    effects: frozenset[E]
    role: Operation


def _all(effects: set[E], role: Operation, names: str) -> dict[str, Meaning]:
    return dict.fromkeys(names.split(), Meaning(frozenset(effects), role))


STATEMENTS: Final[dict[str, Meaning]] = {
    **_all(
        {E.DDL},
        Operation.DDL,
        """
        CreateSchemaStmt AlterCollationStmt AlterDomainStmt CreateStmt CreateForeignTableStmt CreateTrigStmt
        CreateSeqStmt AlterSeqStmt DefineStmt CreateDomainStmt CreateOpClassStmt CreateOpFamilyStmt
        AlterOpFamilyStmt DropStmt CommentStmt IndexStmt CreateStatsStmt AlterStatsStmt CreateFunctionStmt
        AlterFunctionStmt RenameStmt AlterObjectDependsStmt AlterObjectSchemaStmt AlterOperatorStmt
        AlterTypeStmt RuleStmt CompositeTypeStmt CreateEnumStmt CreateRangeStmt AlterEnumStmt ViewStmt
        ClusterStmt ReindexStmt CreateConversionStmt CreateCastStmt CreateTransformStmt AlterTableStmt
        AlterTSDictionaryStmt AlterTSConfigurationStmt
        """,
    ),
    **_all(
        {E.ADMIN},
        Operation.ADMIN,
        """
        GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt AlterOwnerStmt CreatePolicyStmt AlterPolicyStmt
        SecLabelStmt CreateRoleStmt AlterRoleStmt AlterRoleSetStmt DropRoleStmt ReassignOwnedStmt
        AlterSystemStmt CheckPointStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt
        CreatePublicationStmt AlterPublicationStmt VacuumStmt
        """,
    ),
    **_all(
        {E.ADMIN, E.DDL},
        Operation.ADMIN,
        """
        CreatedbStmt DropdbStmt CreateTableSpaceStmt DropTableSpaceStmt AlterTableSpaceOptionsStmt
        AlterTableMoveAllStmt CreateEventTrigStmt AlterEventTrigStmt CreatePLangStmt CreateAmStmt
        CreateFdwStmt AlterFdwStmt CreateForeignServerStmt AlterForeignServerStmt CreateUserMappingStmt
        AlterUserMappingStmt DropUserMappingStmt
        """,
    ),
    **_all(
        {E.ADMIN, E.DDL, E.EXEC},
        Operation.ADMIN,
        "CreateExtensionStmt AlterExtensionStmt AlterExtensionContentsStmt",
    ),
    **_all({E.ADMIN, E.DDL, E.DELETE}, Operation.ADMIN, "DropOwnedStmt"),
    **_all(
        {E.ADMIN, E.DDL, E.OUTBOUND},
        Operation.ADMIN,
        "CreateSubscriptionStmt AlterSubscriptionStmt DropSubscriptionStmt ImportForeignSchemaStmt",
    ),
    **_all({E.ADMIN, E.EXEC}, Operation.ADMIN, "LoadStmt"),
    **_all(
        {E.SESSION},
        Operation.READ,
        """
        TransactionStmt DeallocateStmt DiscardStmt ClosePortalStmt ListenStmt UnlistenStmt
        ConstraintsSetStmt LockStmt PrepareStmt DeclareCursorStmt VariableSetStmt
        """,
    ),
    **_all({E.SESSION, E.READ, E.EXEC}, Operation.READ, "FetchStmt"),
    **_all({E.READ}, Operation.READ, "VariableShowStmt"),
    **_all({E.OUTBOUND}, Operation.READ, "NotifyStmt"),
    **_all({E.EXEC}, Operation.READ, "CallStmt"),
}
