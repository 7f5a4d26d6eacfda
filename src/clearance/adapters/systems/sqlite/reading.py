"""The better reading: what SQLite itself says, while it only prepares a statement, that it would touch.

Triggers, foreign key actions and views are seen. Nothing is run: what is prepared here is never stepped.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.connection import OWN
from clearance.adapters.systems.sqlite.schema import is_own
from clearance.core.classify.sqlite import classify_sqlite
from clearance.core.classify.sqlite_tokens import Kind, one_statement, tokens
from clearance.core.classify.sqlite_words import FUNCTIONS, is_table_function, pragma_effect, words
from clearance.core.model import Classification, EffectClass, Named, Operation
from clearance.core.model.effects import unknown

_DDL_CODES: Final = {
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_CREATE_TABLE,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_CREATE_VIEW,
    apsw.SQLITE_CREATE_VTABLE,
    apsw.SQLITE_DROP_INDEX,
    apsw.SQLITE_DROP_TABLE,
    apsw.SQLITE_DROP_TRIGGER,
    apsw.SQLITE_DROP_VIEW,
    apsw.SQLITE_DROP_VTABLE,
    apsw.SQLITE_ALTER_TABLE,
}
_TEMP_CODES: Final = {
    apsw.SQLITE_CREATE_TEMP_INDEX,
    apsw.SQLITE_CREATE_TEMP_TABLE,
    apsw.SQLITE_CREATE_TEMP_TRIGGER,
    apsw.SQLITE_CREATE_TEMP_VIEW,
    apsw.SQLITE_DROP_TEMP_INDEX,
    apsw.SQLITE_DROP_TEMP_TABLE,
    apsw.SQLITE_DROP_TEMP_TRIGGER,
    apsw.SQLITE_DROP_TEMP_VIEW,
}
_OWN_TABLES: Final = "the tables of the guard (`_clearance_*`) are not for statements"
_SCHEMA_TABLES: Final = {"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"}
_ROW_CODES: Final = {
    apsw.SQLITE_INSERT: (EffectClass.WRITE, Operation.CREATE),
    apsw.SQLITE_UPDATE: (EffectClass.WRITE, Operation.UPDATE),
    apsw.SQLITE_DELETE: (EffectClass.DELETE, Operation.DELETE),
}
_ADMIN_CODES: Final = {apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH, apsw.SQLITE_ANALYZE, apsw.SQLITE_REINDEX}
# ALTER TABLE calls these of itself; SQLite refuses them to anybody else.
_ALTER_FUNCTIONS: Final = words(
    """
    sqlite_rename_table sqlite_rename_column sqlite_rename_test sqlite_rename_quotefix
    sqlite_drop_column sqlite_fail sqlite_add_constraint sqlite_drop_constraint sqlite_find_constraint
    """
)


class Reading(Struct, frozen=True, kw_only=True):
    """One statement as the engine reads it. `writes` are tables of the main file whose rows may change."""

    classification: Classification
    first: str = ""  # its first word
    tables: frozenset[str] = frozenset()  # read
    writes: frozenset[str] = frozenset()
    has_ddl: bool = False
    refused: str = ""  # why a guarded session never runs it
    error: apsw.Error | None = None  # why SQLite does not prepare it

    @property
    def can_be_rolled_back(self) -> bool:
        """Rows, schema, temporary things; not what is unknown, nor settings, nor what rewrites the file."""
        effects = self.classification.effects
        if EffectClass.SESSION in effects and self.first == "PRAGMA":
            return False
        return not effects & {EffectClass.UNKNOWN, EffectClass.ADMIN, EffectClass.EXEC, EffectClass.OUTBOUND}


def read_statement(connection: apsw.Connection, statement: str) -> Reading:
    """Prepare and look; what SQLite will not prepare is UNKNOWN. Leaves no authorizer behind."""
    found = one_statement(statement)
    by_text = classify_sqlite(statement)
    if not found:
        return Reading(classification=by_text, refused="it is not exactly one statement")
    if OWN in statement.lower():  # also where no right is asked for a name: ALTER TABLE ... RENAME TO
        return Reading(classification=by_text, refused=_OWN_TABLES)
    first = found[0].text if found[0].kind is Kind.WORD else ""
    seen = _Seen()
    problem = seen.prepare(connection, statement)
    if first == "EXPLAIN" and not seen.pragmas:
        read = unknown(problem) if problem else by_text
        return Reading(classification=read, first=first, error=seen.error)
    return _judged(connection, seen, first, by_text=by_text, problem=problem)


class _Seen:
    """What the authorizer was asked while one statement was prepared."""

    def __init__(self) -> None:
        self.calls: dict[tuple[int, str | None, str | None, str | None], None] = {}
        self.within: set[str] = set()  # names of the triggers and views that asked
        self.pragmas = 0
        self.error: apsw.Error | None = None

    def prepare(self, connection: apsw.Connection, statement: str) -> str:
        """Why it could not be prepared, or nothing."""
        before = connection.authorizer, connection.exec_trace
        connection.authorizer, connection.exec_trace = self._note, _stop
        try:
            connection.execute(statement, can_cache=False)
        except (apsw.ExecTraceAbort, apsw.BindingsError):  # both come only after it was prepared
            return ""
        except apsw.AuthError:
            return "" if self.pragmas else "SQLite refuses it"
        except apsw.Error as error:
            self.error = error
            return f"SQLite does not read it ({type(error).__name__})"
        finally:
            connection.authorizer, connection.exec_trace = before
        return "SQLite found no statement in it"

    def _note(self, code: int, one: str | None, two: str | None, schema: str | None, by: str | None) -> int:
        try:
            self.calls[(code, one, two, schema)] = None
            if by:
                self.within.add(by.lower())
            # Some pragmas act while they are only prepared (sqlite.org/pragma.html).
            if code == apsw.SQLITE_PRAGMA:
                self.pragmas += 1
                return apsw.SQLITE_DENY
        except BaseException:
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK


def _stop(_cursor: object, _sql: str, _bindings: object) -> bool:
    return False


class _Judgement:
    """The effects, gathered call by call."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.effects: set[EffectClass] = set()
        self.objects: dict[Named, None] = {}
        self.unknown: dict[str, None] = {}
        self.tables: set[str] = set()
        self.writes: set[str] = set()
        self.ddl = False
        self.own = False

    def take(self, code: int, one: str | None, two: str | None, schema: str | None) -> None:
        name = (one or "").lower()
        self.own = (
            self.own or is_own(name) or (code in _DDL_CODES | _TEMP_CODES and is_own((two or "").lower()))
        )
        if code in _ROW_CODES:
            self._rows(code, name, schema)
        elif code == apsw.SQLITE_READ:
            self._reads(name, schema)
        elif code == apsw.SQLITE_FUNCTION:
            self._function((two or "").lower())
        elif code in _DDL_CODES:
            self._ddl(code, name, (two or "").lower(), schema)
        elif code in _TEMP_CODES:
            self.effects.add(EffectClass.SESSION)
        elif code in _ADMIN_CODES:
            if not (self.ddl and code == apsw.SQLITE_REINDEX):  # CREATE INDEX fills the index that it made
                self.effects.add(EffectClass.ADMIN)
        elif code in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT):
            self.effects.add(EffectClass.SESSION)
        elif code == apsw.SQLITE_PRAGMA:
            self._pragma(name, two)
        elif code not in (apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE):
            self.unknown["SQLite asked for a right that is not reviewed"] = None

    def _rows(self, code: int, name: str, schema: str | None) -> None:
        if name in _SCHEMA_TABLES:
            return  # the shadow of a DDL code; without one, nothing is found and the whole is unknown
        if schema == "temp":
            self.effects.add(EffectClass.SESSION)
            return
        effect, operation = _ROW_CODES[code]
        if read_kind(self.connection, name) == "view":
            return  # an INSTEAD OF trigger: what it does is asked for too
        self.effects.add(effect)
        self.objects[Named(name=name, operation=operation)] = None
        self.writes.add(name)

    def _reads(self, name: str, schema: str | None) -> None:
        if name in _SCHEMA_TABLES or schema == "temp" or is_table_function(name):
            return
        if Named(name=name, operation=Operation.DDL) in self.objects:
            return  # a table that is only being made refers to itself: CHECK, generated columns
        if read_kind(self.connection, name):
            self.tables.add(name)
        elif not name.startswith("sqlite_"):
            self.unknown["a table that the schema does not hold"] = None

    def _function(self, name: str) -> None:
        if name == "load_extension":
            self.effects |= {EffectClass.EXEC, EffectClass.ADMIN}
        elif name not in FUNCTIONS and not (self.ddl and name in _ALTER_FUNCTIONS):
            self.unknown["a function that is not reviewed"] = None

    def _ddl(self, code: int, one: str, two: str, schema: str | None) -> None:
        self.ddl = True
        self.effects.add(EffectClass.DDL)
        name = two if code == apsw.SQLITE_ALTER_TABLE else one
        self.objects[Named(name=name, operation=Operation.DDL)] = None
        if (one if code == apsw.SQLITE_ALTER_TABLE else schema) not in ("main", None):
            self.unknown["a change of another database"] = None

    def _pragma(self, name: str, value: str | None) -> None:
        effect = pragma_effect(name, value)
        self.effects.add(effect)
        if effect is EffectClass.UNKNOWN:
            self.unknown["a PRAGMA that is not reviewed"] = None


def _judged(
    connection: apsw.Connection, seen: _Seen, first: str, *, by_text: Classification, problem: str
) -> Reading:
    judgement = _Judgement(connection)
    for call in seen.calls:
        judgement.take(*call)
    if problem:
        judgement.unknown[problem] = None
    _add_text(judgement, first, by_text)
    _add_replaced(judgement, seen, by_text)
    classification = Classification(
        effects=frozenset(judgement.effects),
        objects=tuple(judgement.objects),
        unknown=tuple(judgement.unknown),
    )
    return Reading(
        classification=classification,
        first=first,
        tables=frozenset(judgement.tables),
        writes=frozenset(judgement.writes),
        has_ddl=judgement.ddl,
        refused=_refusal(judgement, seen, classification, first=first),
        error=seen.error,
    )


def _add_text(judgement: _Judgement, first: str, by_text: Classification) -> None:
    """What the authorizer is not asked: whether rows come back; and statements that ask little or nothing."""
    if first in _MAINTENANCE or first in ("ATTACH", "DETACH"):
        judgement.effects = set(by_text.effects)
        judgement.objects.clear()
        judgement.writes.clear()
        judgement.ddl = False
        return
    if EffectClass.READ in by_text.effects:
        judgement.effects.add(EffectClass.READ)
    if by_text.effects == {EffectClass.UNKNOWN}:
        judgement.unknown["an unreviewed kind of statement"] = None


def _add_replaced(judgement: _Judgement, seen: _Seen, by_text: Classification) -> None:
    """REPLACE removes rows of its own accord: in the statement, in a trigger, in a table's constraint."""
    if not judgement.writes:
        return
    if EffectClass.DELETE in by_text.effects:
        replaced = judgement.writes & {named.name for named in by_text.objects}
    else:
        replaced = set()
    for name, table, text in _texts(judgement.connection):
        if (name in seen.within or table in judgement.writes) and _says_replace(text):
            replaced |= judgement.writes if name in seen.within else {table}
    for name in sorted(replaced):
        judgement.effects.add(EffectClass.DELETE)
        judgement.objects[Named(name=name, operation=Operation.DELETE)] = None


def _texts(connection: apsw.Connection) -> list[tuple[str, str, str]]:
    """The name of a trigger, or else of a table, and the text of each that may say REPLACE."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE type IN ('table', 'trigger') "
        "UNION ALL SELECT type, name, tbl_name, sql FROM temp.sqlite_schema WHERE type = 'trigger'"
    )
    return [
        (name.lower(), "", text) if kind == "trigger" else ("", name.lower(), text)
        for kind, name, table, text in rows
        if text and "replace" in text.lower()
    ]


def _says_replace(text: str) -> bool:
    """REPLACE as a resolution or a verb, not the function; what cannot be read may say anything."""
    found = tokens(text)
    if found is None:
        return True
    return any(
        token.kind is Kind.WORD and token.text == "REPLACE" and following.text != "("
        for token, following in pairwise(found)
    ) or (bool(found) and found[-1].text == "REPLACE")


# Admin statements that a guarded session does run, once they are cleared: they change no setting that guards.
_MAINTENANCE: Final = frozenset({"VACUUM", "ANALYZE", "REINDEX"})
_RUNNABLE_PRAGMAS: Final = words(
    """
    user_version application_id incremental_vacuum optimize wal_checkpoint
    """
)
_TRANSACTION: Final = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"})


def _refusal(judgement: _Judgement, seen: _Seen, found: Classification, *, first: str) -> str:
    """Why a guarded session does not run it, whatever anybody decides; nothing where it does."""
    effects = found.effects
    pragmas = {one.lower() for code, one, _, _ in seen.calls if code == apsw.SQLITE_PRAGMA and one}
    if judgement.own:
        return _OWN_TABLES
    if effects & {EffectClass.EXEC, EffectClass.OUTBOUND}:
        return "it runs code, or writes outside of the database"
    if first in _TRANSACTION:
        return "a transaction is kept or taken back by the connection's own commit and rollback"
    if EffectClass.UNKNOWN in effects and pragmas:
        return "a PRAGMA that is not reviewed is not run"
    runnable = first in _MAINTENANCE or (pragmas and pragmas <= _RUNNABLE_PRAGMAS)
    if EffectClass.ADMIN in effects and not runnable:
        return "it changes a setting that guards, or reaches another database"
    return ""


def read_kind(connection: apsw.Connection, name: str) -> str:
    """`table`, `virtual`, `shadow`, `view`, or nothing."""
    row = connection.execute(
        "SELECT type FROM pragma_table_list WHERE schema = 'main' AND lower(name) = lower(?)", (name,)
    ).fetchone()
    return str(row[0]) if row else ""
