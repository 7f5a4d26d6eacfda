"""A scope from what was seen: it lists all of that, and next to nothing else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clearance.core.model import Environment, Resource
from clearance.core.policy.learning import EXACT, Seen, beyond, learn, patterns_of
from tests.core.policy.conftest import VALIDATOR
from tests.examples import examples


def seen_of(*requests):
    seen = Seen()
    for request in requests:
        seen.add(request)
    return seen


def files(*names):
    return [Resource(kind="file", name=name) for name in names]


def refuses(learned, request):
    return bool(beyond(learned.policy, [(request, 1)]))


def test_what_was_seen_is_listed_and_nothing_beside_it(make):
    done = [
        make("read", tool="read_file", resources=("file:/srv/a",)),
        make("update", tool="run_sql", resources=("postgres:crm/accounts",), facts={"record_count": 37}),
    ]
    learned = learn("agent", seen_of(*done))
    VALIDATOR.validate(learned.policy)
    assert (learned.actions, learned.refused_count) == (2, 0)
    assert not any(refuses(learned, one) for one in done)
    for other in (
        make("read", tool="read_file", resources=("file:/srv/b",)),
        make("read", tool="read_file", resources=("file:/srv/a", "file:/etc/passwd")),
        make("read", tool="other", resources=("file:/srv/a",)),
        make("delete", tool="read_file", resources=("file:/srv/a",)),
        make("read", tool="read_file", resources=("file:/srv/a",), environment="production"),
        make("update", tool="run_sql", resources=("postgres:crm/accounts",), facts={"record_count": 51}),
        make("update", tool="run_sql", resources=("postgres:crm/accounts",)),
    ):
        assert refuses(learned, other)


def test_what_was_not_always_counted_has_no_ceiling(make):
    done = [make("update", tool="t", facts={"record_count": 5}), make("update", tool="t")]
    learned = learn("agent", seen_of(*done))
    assert "record_count" not in str(learned.policy)
    assert not any(refuses(learned, one) for one in done)


@pytest.mark.parametrize(
    ("most", "ceiling"), [(0, 0), (1, 1), (3, 5), (37, 50), (50, 50), (51, 100), (700, 1000)]
)
def test_a_ceiling_is_rounded_up(make, most, ceiling):
    learned = learn("agent", seen_of(make("update", tool="t", facts={"record_count": most})))
    assert {"record_count_exceeds": ceiling} in learned.policy["condition"]["any"][0]["none"]


def test_few_names_stand_one_by_one():
    names = [f"/srv/{number}" for number in range(EXACT)]
    assert patterns_of(files(*names)) == sorted(f"file:{name}" for name in names)


def test_many_names_are_taken_together_by_what_they_share_up_to_a_separator():
    many = [f"/srv/app/{number}.csv" for number in range(EXACT + 1)]
    assert patterns_of(files(*many, "/etc/hosts")) == ["file:/etc/hosts", "file:/srv/app/*"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("file", [f"/f{number}" for number in range(40)]),
        ("url", [f"https://host{number}.example" for number in range(40)]),
        ("email", [f"{number}@b.example" for number in range(40)]),
        ("tool", [f"a/{number}" for number in range(40)]),
    ],
)
def test_names_that_share_nothing_safe_stay_as_they_are(kind, names):
    patterns = patterns_of([Resource(kind=kind, name=name) for name in names])
    assert len(patterns) == 40 and not any("*" in one for one in patterns)


def test_a_url_is_never_taken_together_without_its_host():
    urls = [Resource(kind="url", name=f"https://api.example/v1/{number}") for number in range(40)]
    assert patterns_of(urls) == ["url:https://api.example/v1/*"]


def test_a_name_that_looks_like_a_glob_means_itself(make):
    done = make("read", tool="t", resources=("file:/srv/[a]*?",))
    learned = learn("agent", seen_of(done))
    assert not refuses(learned, done)
    assert refuses(learned, make("read", tool="t", resources=("file:/srv/abc",)))


def test_an_agents_name_that_looks_like_a_glob_means_itself(make):
    assert learn("a*", seen_of(make(tool="t"))).policy["condition"]["agent"] == "a[*]"


def test_what_cannot_be_read_is_not_learned_and_told(make):
    plain = make("read", tool="t", resources=("file:/srv/a",))
    unreadable = Resource(
        kind="file", name="/srv/a", environment=Environment.SANDBOX, attributes={"unreadable": True}
    )
    odd = replace(plain, resources=(unreadable,))
    learned = learn("agent", seen_of(plain, odd, odd))
    assert learned.refused == ("action",) and learned.refused_count == 2
    with pytest.raises(ValueError, match="nothing"):
        learn("agent", seen_of(odd))


def test_an_undeclared_tool_is_named_so_that_the_documents_take_it(make, compiled):
    done = make("read", tool="odd-Tool.x")
    learned = learn("agent", seen_of(done), declared=("pay",))
    policies = compiled({"tools": {"pay": {"operation": "send"}}, "policies": [learned.policy]})
    assert policies.policies and not beyond(learned.policy, [(done, 1)], declared=("pay",))
    assert beyond(learned.policy, [(make("read", tool="odd_tool_xy"), 1)], declared=("pay",))


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_was_seen_is_never_refused(data, requests):
    done = data.draw(st.lists(requests, min_size=1, max_size=12))
    learned = learn("agent", seen_of(*done))
    assert (learned.actions, learned.refused_count) == (len(done), 0)
    VALIDATOR.validate(learned.policy)
