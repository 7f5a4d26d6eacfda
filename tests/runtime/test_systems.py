"""Names of resources to systems: what lies where, and in which environment. No system is opened for that."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clearance.core.model import (
    Action,
    Context,
    EffectClass,
    Environment,
    Operation,
    Principal,
    Radius,
    Request,
    Resource,
)
from clearance.errors import NotFoundError
from clearance.ports import Measured, System
from clearance.runtime.systems import Systems, operation_of, understood


def unopened() -> System:
    raise AssertionError("a system was opened for a look at a name")


SYSTEMS = Systems(
    {"crm": unopened, "reports": unopened, "lake": unopened},
    {
        "users.accounts": "crm/public.accounts",
        "billing.*": "crm/billing.*",
        "file:/srv/reports": "reports",
        "s3:lake/raw": "lake/raw",
    },
)


def request(*resources: Resource) -> Request:
    return Request(
        principal=Principal(agent="a"),
        action=Action(tool="t", operation=Operation.DELETE),
        resources=resources,
        context=Context(run_id="run_1", action_id="act_1", at=datetime.now(UTC)),
    )


def resource(written: str, environment: Environment = Environment.UNKNOWN) -> Resource:
    kind, _, name = written.rpartition(":") if "://" not in written else written.partition(":")
    return Resource(kind=kind or "resource", name=name, environment=environment)


@pytest.mark.parametrize(
    ("written", "system", "name"),
    [
        ("users.accounts", "crm", "public.accounts"),
        ("billing.invoices", "crm", "billing.invoices"),
        ("file:/srv/reports/2026/a.csv", "reports", "2026/a.csv"),
        ("file:/srv/reports", "reports", ""),
        ("file:/srv", "reports", ""),
        ("file:/", "reports", ""),
        ("s3:lake/raw/2026", "lake", "raw/2026"),
        ("postgres:crm/public.orders", "crm", "public.orders"),
        ("postgres:crm", "crm", ""),
    ],
)
def test_a_name_leads_to_its_system_and_to_what_it_is_called_there(
    written: str, system: str, name: str
) -> None:
    target = SYSTEMS.target(request(resource(written)))
    assert target is not None
    assert target.systems == (system,)
    assert target.names(system) == ((name,) if name else ())


@pytest.mark.parametrize(
    "written",
    [
        "users.account",
        "accounts",
        "crm/public.accounts",
        "file:/srv/reportsX/a",
        "file:/sr",
        "billing",
        "tool:crm",
    ],
)
def test_a_name_that_is_not_configured_leads_nowhere(written: str) -> None:
    assert SYSTEMS.target(request(resource(written))) is None


def test_one_action_may_touch_two_systems() -> None:
    target = SYSTEMS.target(request(resource("users.accounts"), resource("file:/srv/reports/a")))
    assert target is not None
    assert target.systems == ("crm", "reports")


def test_a_system_that_is_not_configured_is_said_to_be_missing_and_where_to_name_it() -> None:
    with pytest.raises(NotFoundError, match=r"systems:.*clearance\.yaml"):
        SYSTEMS.system("elsewhere")


def measured(environment: Environment, *resources: Resource, operation: Operation | None = None) -> Measured:
    radius = Radius(
        system="crm", fingerprint="f", environment=environment, effects=frozenset({EffectClass.DELETE})
    )
    return Measured(radius=radius, operation=operation, resources=resources)


@pytest.mark.parametrize(
    ("named", "system", "judged"),
    [
        (Environment.UNKNOWN, Environment.SANDBOX, Environment.SANDBOX),
        (Environment.SANDBOX, Environment.PRODUCTION, Environment.PRODUCTION),
        (Environment.SANDBOX, Environment.UNKNOWN, Environment.UNKNOWN),
        (Environment.PRODUCTION, Environment.UNKNOWN, Environment.PRODUCTION),
        (Environment.PRODUCTION, Environment.SANDBOX, Environment.SANDBOX),
    ],
)
def test_the_system_says_what_environment_it_is_and_a_name_only_makes_it_stricter(
    named: Environment, system: Environment, judged: Environment
) -> None:
    asked = request(resource("users.accounts", named), resource("elsewhere", named))
    target = SYSTEMS.target(asked)
    assert target is not None
    mine, other = understood(asked, [measured(system)], target)
    assert (mine.environment, other.environment) == (judged, named)


def test_what_is_touched_beyond_the_call_is_judged_too() -> None:
    asked = request(resource("users.accounts"))
    target = SYSTEMS.target(asked)
    assert target is not None
    cascade = Resource(kind="postgres", name="crm/public.orders")
    found = understood(asked, [measured(Environment.SANDBOX, cascade)], target)
    assert [one.id for one in found] == ["resource:users.accounts", "postgres:crm/public.orders"]


def test_a_text_that_the_system_could_read_is_no_longer_unreadable() -> None:
    unread = Resource(kind="sql", name="<unreadable>", attributes={"unreadable": True})
    asked = request(resource("postgres:crm"), unread)
    target = SYSTEMS.target(asked)
    assert target is not None
    read = measured(Environment.SANDBOX, operation=Operation.UPDATE)
    assert unread not in understood(asked, [read], target)
    assert unread in understood(asked, [measured(Environment.SANDBOX)], target)


def test_the_most_dangerous_reading_of_several_systems_counts() -> None:
    parts = [
        measured(Environment.SANDBOX, operation=Operation.READ),
        measured(Environment.SANDBOX, operation=Operation.DDL),
        measured(Environment.SANDBOX),
    ]
    assert operation_of(parts) is Operation.DDL
    assert operation_of(parts[2:]) is None
