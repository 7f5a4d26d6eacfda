"""`clearance policy list|load|add|delete|versions|schema`: the document that the store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.config import read_policy_files
from clearance.core.policy import compile_policies, json_schema
from clearance.core.policy.located import plain
from clearance.errors import PolicyError, Problem
from clearance.ports import PolicyVersion

_FILE = click.Path(path_type=Path)


@click.command("list")
@json_option
@store_option
@click.pass_obj
def list_policies(target: Target, *, as_json: bool) -> None:
    """List the policies in the store.

    \b
    Example:
      clearance policy list
    """
    with target.store() as store:
        stored = store.control_point.policies.document()
    found = _policies(stored.document) if stored else []
    if as_json:
        say_json({"version": stored.number if stored else 0, "policies": found})
    elif found:
        say_table(("policy", "rule", "mode", "description"), [_row(policy) for policy in found])
    else:
        say("No policies.")


@click.command()
@click.argument("file", type=_FILE)
@json_option
@store_option
@click.pass_obj
def load(target: Target, file: Path, *, as_json: bool) -> None:
    """Put a policy file in the place of everything the store holds, whole or not at all.

    \b
    Example:
      clearance policy load policies.yaml
    """
    document = _read(file, target)
    with target.store(is_new_fine=True) as store:
        version = store.control_point.policies.replace_all(document, by=local_person().name)
    _say_version(version, as_json=as_json)


@click.command()
@click.argument("file", type=_FILE)
@json_option
@store_option
@click.pass_obj
def add(target: Target, file: Path, *, as_json: bool) -> None:
    """Add the one policy of a file to the store. The same one again changes nothing.

    \b
    Example:
      clearance policy add blast_radius.yaml
    """
    found = _policies(_read(file, target))
    if len(found) != 1:
        raise click.UsageError(
            f"{file} holds {len(found)} policies and this adds one; `clearance policy load` replaces all."
        )
    with target.store(is_new_fine=True) as store:
        version = store.control_point.policies.create(found[0], by=local_person().name)
    _say_version(version, as_json=as_json)


@click.command()
@click.argument("name")
@json_option
@store_option
@click.pass_obj
def delete(target: Target, name: str, *, as_json: bool) -> None:
    """Take one policy out of the store.

    \b
    Example:
      clearance policy delete mass_email
    """
    with target.store() as store:
        version = store.control_point.policies.delete(name, by=local_person().name)
    _say_version(version, as_json=as_json)


@click.command()
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="At most so many."
)
@json_option
@store_option
@click.pass_obj
def versions(target: Target, limit: int, *, as_json: bool) -> None:
    """List the versions of the stored policies, newest first.

    \b
    Example:
      clearance policy versions --limit 5
    """
    with target.store() as store:
        found = store.control_point.policies.versions(limit)
    if as_json:
        say_json({"versions": found})
        return
    rows = [(str(one.number), f"{one.at:%Y-%m-%d %H:%M:%S}", one.by, _many(one)) for one in found]
    say_table(("version", "stored (UTC)", "by", "policies"), rows)


@click.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors.

    \b
    Example:
      clearance policy schema > clearance-policy.schema.json
    """
    say_json(json_schema())


COMMANDS = (list_policies, load, add, delete, versions, schema)


def _read(file: Path, target: Target) -> dict[str, Any]:
    """A file's policies as one document, compiled with the configured ones. Raises PolicyError."""
    read = read_policy_files([str(file)])
    compile_policies([*read_policy_files(target.settings().policies), *read])
    roots = [plain(root) for one in read for root in one.roots if root.value is not None]
    if len(roots) != 1:
        raise PolicyError([Problem("bad_type", "must hold one YAML document", str(file))])
    [document] = roots
    if isinstance(document, list):
        return {"policies": document}
    return document if "policies" in document or "name" not in document else {"policies": [document]}


def _policies(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("policies") or [])


def _row(policy: dict[str, Any]) -> tuple[str, ...]:
    described = " ".join(str(policy.get("description", "")).split())
    return (str(policy.get("name")), str(policy.get("rule")), str(policy.get("mode", "enforce")), described)


def _many(version: PolicyVersion) -> str:
    return str(len(_policies(version.document)))


def _say_version(version: PolicyVersion, *, as_json: bool) -> None:
    if as_json:
        say_json(version)
    else:
        say(f"Stored as version {version.number}. Policies in it: {_many(version)}.")
