"""The SQL of an undo: what was captured of a table, netted by key and held against the table as it is now.

A plan is a temporary table with one entry per row to put back: `b` the image before, `a` the image after
(`nb`, `na` say how many there are of each), `state` what is to become of it. Only text is made here.
"""

# ruff: noqa: S608  names come quoted from the catalogue, numbers from the guard; values are parameters

from __future__ import annotations

from clearance.adapters.systems.postgres.targets import ForeignKey, Target

# An entry's states. `same` needs nothing: the action left the row as it was.
STATES = ("restore", "already", "conflict", "same", "skipped")


def paired_plan(target: Target, operation: str) -> str:
    """Entries of one event that left one array of images a side: an UPDATE's stand in the same order.

    Whether they do is checked by `repeated`; if not, the plan is made again by key.
    """
    olds = f"SELECT rows FROM {target.image} WHERE snapshot = %(number)s AND sign < 0"
    news = f"SELECT rows FROM {target.image} WHERE snapshot = %(number)s AND sign > 0"
    match operation:
        case "UPDATE":
            sides = f"SELECT unnest(o.rows) AS b, unnest(n.rows) AS a FROM ({olds}) o, ({news}) n"
            numbers, by = "1 AS nb, 1 AS na", "b"
        case "INSERT":
            sides = f"SELECT NULL::{target.row} AS b, unnest(n.rows) AS a FROM ({news}) n"
            numbers, by = "0 AS nb, 1 AS na", "a"
        case _:
            sides = f"SELECT unnest(o.rows) AS b, NULL::{target.row} AS a FROM ({olds}) o"
            numbers, by = "1 AS nb, 0 AS na", "b"
    keys = ", ".join(f"(e.{by}).{column} AS k{place}" for place, column in enumerate(target.key))
    return _plan(target, f"SELECT {keys}, {numbers}, e.b, e.a FROM ({sides}) e")


def keyed_plan(target: Target, *, netted: bool, unsettled: bool) -> str:
    """Entries by key. `netted` cancels images that are both an end and a start: rows changed repeatedly."""
    events = _events(target)
    if unsettled:
        # How things stood after the action is not known, so what stands now is taken for it.
        events += f""" UNION ALL
            SELECT 1, {target.current("t")} FROM {target.source} t
            WHERE EXISTS (SELECT FROM ({_events(target)}) i WHERE {_same_key(target, "t", "i.r")})"""
    if netted:
        events = f"""
            SELECT CASE WHEN sum(sign) < 0 THEN -1 ELSE 1 END AS sign, (array_agg(r))[1] AS r
            FROM ({events}) every GROUP BY r::text HAVING sum(sign) <> 0"""
    keys = ", ".join(f"(e.r).{column} AS k{place}" for place, column in enumerate(target.key))
    by = ", ".join(f"(e.r).{column}" for column in target.key)
    return _plan(
        target,
        f"""SELECT {keys}, count(*) FILTER (WHERE e.sign < 0) AS nb, count(*) FILTER (WHERE e.sign > 0) AS na,
            (array_agg(e.r) FILTER (WHERE e.sign < 0))[1] AS b,
            (array_agg(e.r) FILTER (WHERE e.sign > 0))[1] AS a
        FROM ({events}) e GROUP BY {by}""",
    )


def _plan(target: Target, entries: str) -> str:
    """`place` is where a row stands now; nobody moves it, for the table is locked against writers."""
    return f"""
        CREATE TEMPORARY TABLE {_bare(target)} ON COMMIT DROP AS
        SELECT p.*, t.ctid AS place, t.ctid IS NOT NULL AS present,
            {_state(target)} AS state, ''::text AS why, {_shown(target)} AS shown
        FROM ({entries}) p LEFT JOIN {target.source} t ON {target.keyed("t")}"""


def keyless_plan(target: Target) -> str:
    """Entries by content: `copies` of a row stand now, `na - nb` of them are the action's."""
    return f"""
        CREATE TEMPORARY TABLE {_bare(target)} ON COMMIT DROP AS
        SELECT p.*, CASE WHEN p.na > p.copies THEN 'conflict' ELSE 'restore' END AS state, ''::text AS why,
            ''::text AS shown
        FROM (
            SELECT e.*, (SELECT count(*) FROM {target.source} t
                WHERE ({target.current("t")})::text = e.txt) AS copies
            FROM (
                SELECT r::text AS txt, (array_agg(r))[1] AS b, (array_agg(r))[1] AS a,
                    greatest(-sum(sign), 0) AS nb, greatest(sum(sign), 0) AS na
                FROM ({_events(target)}) every GROUP BY r::text HAVING sum(sign) <> 0
            ) e
        ) p"""


def repeated(target: Target) -> str:
    """Whether some row was captured more than once, or images were paired wrongly: then they are netted."""
    keys = ", ".join(f"k{place}" for place in range(len(target.key)))
    apart = _same_key(target, "(p.a)", "p.b")
    return f"""SELECT coalesce(max(nb) > 1 OR max(na) > 1 OR count(*) <> count(DISTINCT ({keys}))
        OR NOT bool_and(nb <> na OR ({apart})), false) FROM {target.plan} p"""


def reasons(target: Target) -> str:
    return f"""UPDATE {target.plan} p SET why = CASE
        WHEN p.na = 0 THEN 'its key is used again'
        WHEN p.present THEN 'changed since' ELSE 'deleted since' END
        WHERE p.state = 'conflict'"""


def remove(target: Target) -> str:
    """Take away the rows as the action left them."""
    if target.key:
        # A place is found faster than a key, but names a row in one table only.
        found = target.keyed("t") if target.kind == "p" else "t.ctid = p.place"
        return f"""DELETE FROM {target.source} t USING {target.plan} p
            WHERE p.state = 'restore' AND p.na > 0 AND {found}"""
    return f"""DELETE FROM {target.source} t USING (
            SELECT s.tableoid AS part, s.ctid AS place, p.na,
                row_number() OVER (PARTITION BY p.txt ORDER BY s.tableoid, s.ctid) AS nth
            FROM {target.source} s JOIN {target.plan} p ON ({target.current("s")})::text = p.txt
            WHERE p.state = 'restore' AND p.na > 0
        ) gone WHERE gone.nth <= gone.na AND t.ctid = gone.place AND t.tableoid = gone.part"""


def insert(target: Target, *, leaving_out: str = "") -> str:
    """Put the rows back as they were. `ON CONFLICT DO NOTHING` leaves rows out, to be noticed afterwards."""
    values = ", ".join(f"(p.b).{column}" for column in target.written)
    copies = "" if target.key else " CROSS JOIN generate_series(1, p.nb)"
    return f"""INSERT INTO {target.name} ({", ".join(target.written)}) OVERRIDING SYSTEM VALUE
        SELECT {values} FROM {target.plan} p{copies} WHERE p.state = 'restore' AND p.nb > 0 {leaving_out}"""


def wrong(target: Target) -> str:
    """The entries that do not stand in the table as they should."""
    if target.key:
        return f"""SELECT p.ctid::text FROM {target.plan} p LEFT JOIN {target.source} t ON {target.keyed("t")}
            WHERE p.state = 'restore' AND CASE WHEN p.nb > 0
                THEN t.ctid IS NULL OR NOT ({target.current("t")} OPERATOR(pg_catalog.*=) p.b)
                ELSE t.ctid IS NOT NULL END"""
    return f"""SELECT p.ctid::text FROM {target.plan} p
            WHERE p.state = 'restore' AND p.copies - p.na + p.nb <>
            (SELECT count(*) FROM {target.source} t WHERE ({target.current("t")})::text = p.txt)"""


def orphans(target: Target, key: ForeignKey) -> str:
    """Entries put back whose foreign key finds nothing."""
    some = " AND ".join(f"(p.b).{column} IS NOT NULL" for column in key.child_columns)
    pairs = zip(key.parent_columns, key.operators, key.child_columns, strict=True)
    found = " AND ".join(f"t.{parent} {operator} (p.b).{child}" for parent, operator, child in pairs)
    return f"""SELECT p.ctid::text FROM {target.plan} p WHERE p.state = 'restore' AND p.nb > 0 AND {some}
        AND NOT EXISTS (SELECT FROM {key.parent_name} t WHERE {found})"""


def bereaved(target: Target, key: ForeignKey) -> str:
    """Entries taken away that somebody's foreign key still names."""
    pairs = list(zip(key.parent_columns, key.operators, key.child_columns, strict=True))
    named = " AND ".join(f"(p.a).{parent} {operator} c.{child}" for parent, operator, child in pairs)
    stays = " AND ".join(f"t.{parent} {operator} c.{child}" for parent, operator, child in pairs)
    return f"""SELECT p.ctid::text FROM {target.plan} p WHERE p.state = 'restore' AND p.na > 0 AND EXISTS (
            SELECT FROM {key.child_name} c WHERE {named}
            AND NOT EXISTS (SELECT FROM {key.parent_name} t WHERE {stays}))"""


def strangers(target: Target) -> str:
    """Rows in a saved, never settled scope that did not exist when it was saved."""
    keys = ", ".join(f"t.{column} AS k{place}" for place, column in enumerate(target.key))
    return f"""INSERT INTO {target.plan}
        SELECT {keys}, 0, 1, NULL, {target.current("t")}, t.ctid, true,
            'conflict', 'made since', {_shown(target, "t")}
        FROM {target.source} t
        WHERE NOT EXISTS (SELECT FROM {target.plan} p WHERE {target.keyed("t")}) AND EXISTS (
            SELECT FROM clearance_guard.scopes s WHERE s.snapshot = %(number)s AND s.relid = %(relid)s
            AND (s.keys IS NULL OR (t.{target.key[0]})::text = ANY (s.keys)))"""


def _events(target: Target) -> str:
    return f"SELECT i.sign, unnest(i.rows) AS r FROM {target.image} i WHERE i.snapshot = %(number)s"


def _bare(target: Target) -> str:
    return target.plan.removeprefix("pg_temp.")


def _same_key(target: Target, alias: str, image: str) -> str:
    pairs = zip(target.key, target.operators, strict=True)
    return " AND ".join(f"{alias}.{column} {operator} ({image}).{column}" for column, operator in pairs)


def _state(target: Target) -> str:
    """Images are compared bit by bit (`*=`): equal by value is not yet the same row."""
    present = "t.ctid IS NOT NULL"
    now = target.current("t")
    return f"""CASE
            WHEN p.nb = p.na AND p.b OPERATOR(pg_catalog.*=) p.a THEN 'same'
            WHEN p.na = 0 AND NOT {present} THEN 'restore'
            WHEN p.na > 0 AND {present} AND {now} OPERATOR(pg_catalog.*=) p.a THEN 'restore'
            WHEN p.nb > 0 AND {present} AND {now} OPERATOR(pg_catalog.*=) p.b THEN 'already'
            WHEN p.nb = 0 AND NOT {present} THEN 'already'
            ELSE 'conflict' END"""


def _shown(target: Target, alias: str = "") -> str:
    """The key, for a person."""
    columns = target.key if alias else tuple(f"k{place}" for place in range(len(target.key)))
    source = alias or "p"
    return "concat_ws(', ', " + ", ".join(f"{source}.{column}::text" for column in columns) + ")"
