"""Statements about the session itself that a guarded session does not run, whatever is decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.core.classify.mysql_scan import Kind, Token, UnreadableError, scan, split
from clearance.core.model import Classification, EffectClass

_NEVER = {
    "USE": "open another session for another database",
    "LOCK": "LOCK TABLES would shut out the tables that keep what can be undone",
    "UNLOCK": "it would commit",
    "HANDLER": "it reads past every lock",
    "PREPARE": "send the statement itself",
    "EXECUTE": "send the statement itself",
    "DEALLOCATE": "send the statement itself",
    "XA": "this session's transactions are its own",
    "START": "only the plain START TRANSACTION is known here",
    "BEGIN": "only the plain BEGIN is known here",
    "COMMIT": "only the plain COMMIT is known here",
    "ROLLBACK": "only the plain ROLLBACK is known here",
}
_SERVER = frozenset({"GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "DEFAULT"})


def not_here(text: str, found: Classification) -> str:
    """Why a session cannot run a statement and still vouch for what it counts; "" where it can."""
    try:
        parts = split(scan(text))
    except UnreadableError:
        return "it cannot be read"
    if len(parts) != 1 or any(token.layer for token in parts[0]):
        return "send one statement at a time, without comments that run on some servers only"
    tokens = parts[0]
    head = tokens[0].name if tokens[0].kind is Kind.WORD else ""
    if head in _NEVER:
        return _NEVER[head]
    if head == "SET":
        return _setting(tokens)
    if EffectClass.SESSION in found.effects and head in ("CREATE", "DROP"):
        return "a temporary table would hide a table that is guarded"
    return ""


def _setting(tokens: Sequence[Token]) -> str:
    """User variables, NAMES utf8mb4, and the settings of the whole server."""
    names = [token.name for token in tokens]
    if (
        names[1:] in (["NAMES", "UTF8MB4"], ["NAMES", token_text(tokens, 2)])
        and "UTF8MB4" in names[2].upper()
    ):
        return ""
    if len(names) > 1 and names[1] in _SERVER:
        return ""
    assigned = [tokens[at - 1] for at, token in enumerate(tokens) if token.text in ("=", ":=")]
    own = [token for token in assigned if token.kind is Kind.VARIABLE and not token.text.startswith("@@")]
    if assigned and len(own) == len(assigned) and tokens[1] in own:
        return ""
    return "the settings of a guarded session are pinned, counts and undo rest on them"


def token_text(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].name if at < len(tokens) else ""
