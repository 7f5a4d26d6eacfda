"""Clients of cloud services: a command's verb tells the effect; one that is in no list is UNKNOWN."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from clearance.core.classify.found import doing, opaque, union
from clearance.core.classify.kubernetes import kubectl
from clearance.core.classify.object_prefix import object_command
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.catalogue import commands
from clearance.core.classify.shell.listed import by_entry
from clearance.core.model.effects import Classification

_READS = re.compile(
    r"(?:describe|list|get|head|lookup|search|query|scan|view|filter|validate|wait|show|check|test|estimate|preview|simulate|batch-get|detect|select)(?:-.*)?"
)
_DELETES = re.compile(
    r"(?:delete|remove|terminate|purge|destroy|batch-delete|deregister|release|drop|empty|cancel|revoke|discard|reset"
    r"|dispose|schedule-key-deletion|disassociate|detach|rm|rb)(?:-.*)?"
)
_WRITES = re.compile(
    r"(?:create|put|update|modify|add|set|copy|upload|tag|untag|register|import|export|start|attach|associate|restore|"
    r"batch-write|transact-write|write|insert|change|allocate|run|deploy|replace|rename|move|request|resize|promote)(?:-.*)?"
)
_ADMINS = re.compile(
    r"(?:stop|reboot|enable|disable|failover|pause|resume|suspend|grant|authorize|lock|unlock|rotate|restart|login|"
    r"configure|deallocate|regenerate|assign|activate|deactivate|invite|scale|apply|ssh|switch)(?:-.*)?"
)
_RUNS = re.compile(
    r"(?:invoke|send-command|start-session|execute-command|run-command|execute-statement|execute|invoke-async|ssh|connect|call|exec)(?:-.*)?"
)
_SENDS = re.compile(
    r"(?:publish|send|send-(?:email|raw-email|message|message-batch|bulk-email)|publish-batch)"
)
# Services about rights and settings: whatever is changed there changes who may do what.
_RIGHTS = frozenset(
    {
        "iam",
        "sts",
        "organizations",
        "kms",
        "secretsmanager",
        "sso-admin",
        "cloudtrail",
        "config",
        "role",
        "ad",
    }
    | {
        "keyvault",
        "policy",
        "account",
        "projects",
        "org-policies",
        "identitystore",
        "route53",
        "ram",
        "guardduty",
    }
)
_AWS_VALUES = (
    "--profile",
    "--region",
    "--output",
    "--query",
    "--endpoint-url",
    "--color",
    "--cli-connect-timeout",
)
_AWS_BARE = ("--no-cli-pager", "--debug", "--no-verify-ssl", "--no-paginate", "--no-sign-request")


def _aws(call: Call, _reader: Reader) -> Classification:
    words = _plain(call)
    if words is None:
        return opaque("a word of the command is not known before it runs")
    while words and words[0].startswith("--"):
        name, equals, _ = words.pop(0).partition("=")
        if name in _AWS_VALUES and not equals:
            words = words[1:]
        elif name not in (*_AWS_VALUES, *_AWS_BARE):
            return (
                doing("read")
                if name == "--version"
                else opaque("an option before the service is not reviewed")
            )
    if len(words) < 2:
        return opaque("the service and the operation are not given")
    service, operation = words[0], words[1]
    if service == "s3":
        return union(doing("outbound"), object_command(words[1:]))
    if service == "configure":
        return doing("read" if operation in ("list", "get") else "admin")
    if operation == "wait" or "help" in words[1:3]:
        return doing("read+outbound")
    if "--dry-run" in words:
        return doing("read+outbound")
    return _by_verb(operation, words)


def _grouped(call: Call, _reader: Reader) -> Classification:
    """gcloud and az: groups, then a verb, then names. The verb is the last word that some list knows."""
    words = _plain(call)
    if words is None:
        return opaque("a word of the command is not known before it runs")
    groups = []
    for word in words:
        if word.startswith("-"):
            break
        groups.append(word)
    if not groups:
        return doing("read") if words[:1] == ["--version"] else opaque("no operation is given")
    if (
        groups[0] in ("storage", "rsync")
        and len(groups) > 1
        and groups[1] in ("cp", "mv", "rm", "rsync", "ls", "cat")
    ):
        return union(doing("outbound"), object_command(words[1:]))
    known = [word for word in groups if any(verbs.fullmatch(word) for verbs, _ in _VERBS)]
    if not known:
        return union(doing("outbound"), opaque("the operation is not reviewed"))
    # A resource may have a verb's name: every word that could be the verb counts.
    return union(*(_by_verb(word, groups) for word in known))


def _by_verb(operation: str, words: Sequence[str]) -> Classification:
    for verbs, effects in _VERBS:
        if verbs.fullmatch(operation):
            changes = effects != "read+outbound"
            rights = changes and not _RIGHTS.isdisjoint(words[:2])
            unread = ["code or a command runs on another machine"] if "unknown" in effects else []
            return doing(effects + "+admin" if rights else effects, why=unread)
    return doing("outbound+unknown", why=["the operation is not reviewed"])


def _plain(call: Call) -> list[str] | None:
    """The words; an unknown one is harmless only as the value of an option, so it must not be an option."""
    words: list[str] = []
    for word in call.arguments:
        if word.plain is None and (word.may_be_option or len(words) < 2):
            return None
        words.append(word.plain if word.plain is not None else word.lead)
    return words


def _kubectl(call: Call, _reader: Reader) -> Classification:
    """The catalogue's effects, and the objects that the words name."""
    found = by_entry(commands()["kubectl"], call)
    words = [word.plain for word in call.arguments]
    if None in words:
        return found
    named = kubectl([word for word in words if word is not None])
    return found if named is None else union(found, named)


def _docker(call: Call, _reader: Reader) -> Classification:
    """`docker compose …` is a tool of its own."""
    entry = "docker"
    if call.arguments and call.arguments[0].plain == "compose":
        entry, call = "docker-compose", replace(call, words=call.arguments)
    return by_entry(commands()[entry], call)


# The first that matches counts, so that `delete-…` is no `…`-writing verb, and `get-…` no other.
_VERBS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_DELETES, "delete+outbound"),
    (_RUNS, "exec+outbound+unknown"),
    (_SENDS, "outbound+write"),
    (_ADMINS, "admin+outbound"),
    (_READS, "read+outbound"),
    (_WRITES, "write+outbound"),
)
CLOUDS: dict[str, Callable[[Call, Reader], Classification]] = {
    "aws": _aws,
    "gcloud": _grouped,
    "az": _grouped,
    **dict.fromkeys(("docker", "podman", "nerdctl"), _docker),
    "kubectl": _kubectl,
    "oc": _kubectl,
    "k": _kubectl,
}
