"""Every attribute with every suffix, in all three truths."""

import pytest

CASES = [
    # condition, request, truth
    ({"agent": "billing"}, {"agent": "billing"}, "true"),
    ({"agent": "billing"}, {"agent": "Billing"}, "false"),
    ({"agent": "bill*"}, {"agent": "billing"}, "true"),
    ({"agent": ["a", "b"]}, {"agent": "b"}, "true"),
    ({"agent_in": ["a", "b-*"]}, {"agent": "b-1"}, "true"),
    ({"agent_not_in": ["a", "b-*"]}, {"agent": "b-1"}, "false"),
    ({"agent_not_in": ["a"]}, {"agent": "b"}, "true"),
    ({"agent_pattern": "b*g"}, {"agent": "billing"}, "true"),
    ({"agent_matches": "^b.*g$"}, {"agent": "billing"}, "true"),
    ({"agent_matches": "^x"}, {"agent": "billing"}, "false"),
    ({"role": "admin"}, {"roles": ["dev", "admin"]}, "true"),
    ({"role": "admin"}, {"roles": []}, "false"),
    ({"role_in": ["a*"]}, {"roles": ["admin"]}, "true"),
    ({"role_not_in": ["admin"]}, {"roles": ["dev", "admin"]}, "false"),
    ({"role_not_in": ["admin"]}, {"roles": []}, "true"),
    ({"role_pattern": "ad*"}, {"roles": ["admin"]}, "true"),
    ({"role_matches": "min$"}, {"roles": ["admin"]}, "true"),
    ({"tool": "send_email"}, {"tool": "sendEmail"}, "true"),
    ({"tool": "sendEmail"}, {"tool": "Send-Email"}, "true"),
    ({"tool": "send_*"}, {"tool": "sendEmail"}, "true"),
    ({"tool": ["x", "y?"]}, {"tool": "yz"}, "true"),
    ({"tool_in": ["x"]}, {"tool": "y"}, "false"),
    ({"tool_not_in": ["read_*"]}, {"tool": "readFile"}, "false"),
    ({"tool_pattern": "*_email"}, {"tool": "sendEmail"}, "true"),
    ({"tool_matches": "(read|list)_"}, {"tool": "listFiles"}, "true"),
    ({"operation": "read"}, {"action": "read"}, "true"),
    ({"operation": "read"}, {"action": "update"}, "false"),
    ({"operation": "read"}, {"action": "unknown"}, "unknown"),
    ({"operation": "unknown"}, {"action": "unknown"}, "true"),
    ({"operation": "unknown"}, {"action": "read"}, "false"),
    ({"operation": ["read", "update"]}, {"action": "update"}, "true"),
    ({"operation_in": ["read", "update"]}, {"action": "unknown"}, "unknown"),
    ({"operation_not_in": ["read"]}, {"action": "read"}, "false"),
    ({"operation_not_in": ["read"]}, {"action": "delete"}, "true"),
    ({"operation_not_in": ["read"]}, {"action": "unknown"}, "unknown"),
    ({"action": "update"}, {"action": "update"}, "true"),
    ({"action": "update"}, {"action": "unknown"}, "unknown"),
    ({"action_not_in": ["update", "read"]}, {"action": "delete"}, "true"),
    ({"action_not_in": ["update", "read"]}, {"action": "unknown"}, "unknown"),
    ({"action": "transfer_money"}, {"tool": "transferMoney"}, "true"),
    ({"action": "transfer_*"}, {"tool": "transferMoney"}, "true"),
    ({"action": "transfer_money"}, {"tool": "other", "action": "unknown"}, "false"),
    ({"action": ["read", "transfer_money"]}, {"tool": "transfer_money", "action": "send"}, "true"),
    ({"action": ["read", "transfer_money"]}, {"tool": "x", "action": "unknown"}, "unknown"),
    ({"action_not_in": ["read", "transfer_money"]}, {"tool": "transfer_money"}, "false"),
    ({"action": "send_email"}, {"action": "send", "resources": ["email:a@b.example"]}, "true"),
    ({"action": "send_email"}, {"action": "send", "resources": ["url:https://b.example"]}, "false"),
    ({"action": "send_email"}, {"action": "unknown", "resources": ["email:a@b.example"]}, "unknown"),
    ({"action": "send_email"}, {"action": "read", "resources": ["email:a@b.example"]}, "false"),
    ({"action": "send_email"}, {"tool": "sendEmail", "action": "unknown"}, "true"),
    ({"action": "send_message"}, {"action": "send"}, "true"),
    ({"action": "run_sql"}, {"action": "read", "resources": ["postgres:crm/users"]}, "true"),
    ({"action": "run_sql"}, {"action": "read", "resources": ["file:/a"]}, "false"),
    ({"action": "run_command"}, {"action": "execute"}, "true"),
    ({"resource": "users.accounts"}, {"resources": ["postgres:users.accounts"]}, "true"),
    ({"resource": "postgres:users.accounts"}, {"resources": ["postgres:users.accounts"]}, "true"),
    ({"resource": "sandbox.users.accounts"}, {"resources": ["postgres:users.accounts"]}, "true"),
    ({"resource": "Users.accounts"}, {"resources": ["postgres:users.accounts"]}, "false"),
    ({"resource": "*.accounts"}, {"resources": ["file:/x", "postgres:users.accounts"]}, "true"),
    ({"resource_in": ["x", "file:/srv/*"]}, {"resources": ["file:/srv/a/b.txt"]}, "true"),
    ({"resource_not_in": ["file:/srv/*"]}, {"resources": ["file:/srv/a", "file:/etc/b"]}, "true"),
    ({"resource_not_in": ["file:/srv/*"]}, {"resources": ["file:/srv/a"]}, "false"),
    ({"resource_pattern": "production.*"}, {"resources": ["db:x"], "environment": "production"}, "true"),
    ({"resource_pattern": "production.*"}, {"resources": ["db:x"], "environment": "staging"}, "false"),
    ({"resource_pattern": "production.*"}, {"resources": ["db:x"], "environment": "unknown"}, "unknown"),
    ({"resource_pattern": "sandbox.*"}, {"resources": ["db:x"], "environment": "unknown"}, "false"),
    ({"resource_not_in": ["production.*"]}, {"resources": ["db:x"], "environment": "unknown"}, "unknown"),
    ({"resource_matches": r"^file:/etc/"}, {"resources": ["file:/etc/passwd"]}, "true"),
    ({"resource_kind": "file"}, {"resources": ["file:/a", "url:x"]}, "true"),
    ({"resource_kind_not_in": ["file"]}, {"resources": ["file:/a", "url:x"]}, "true"),
    ({"resource_kind_not_in": ["file", "url"]}, {"resources": ["file:/a", "url:x"]}, "false"),
    ({"resource_kind_pattern": "f*"}, {"resources": ["file:/a"]}, "true"),
    ({"environment": "production"}, {"environment": "production"}, "true"),
    ({"environment": "production"}, {"environment": "unknown"}, "unknown"),
    ({"environment": "production"}, {"environment": "sandbox"}, "false"),
    ({"environment": "sandbox"}, {"environment": "unknown"}, "false"),
    ({"environment": "staging"}, {"environment": "unknown"}, "false"),
    ({"environment": "unknown"}, {"environment": "unknown"}, "true"),
    ({"environment_in": ["production", "staging"]}, {"environment": "unknown"}, "unknown"),
    ({"environment_not_in": ["sandbox"]}, {"environment": "unknown"}, "true"),
    ({"environment_not_in": ["production"]}, {"environment": "unknown"}, "unknown"),
    ({"domain": "b.example"}, {"resources": ["email:a@b.example"]}, "true"),
    ({"domain": "B.Example."}, {"resources": ["email:a@b.EXAMPLE"]}, "true"),
    ({"domain": "b.example"}, {"resources": ["url:https://u:p@B.example:8080/x?y"]}, "true"),
    ({"domain": "b.example"}, {"resources": ["url:b.example/path"]}, "true"),
    ({"domain": "b.example"}, {"resources": ["email:Ann <a@b.example>"]}, "true"),
    ({"domain": "*.b.example"}, {"resources": ["email:a@x.b.example"]}, "true"),
    ({"domain": "*.b.example"}, {"resources": ["email:a@b.example"]}, "false"),
    ({"domain": "*.b.example"}, {"resources": ["email:a@evilb.example"]}, "false"),
    ({"domain": "bücher.example"}, {"resources": ["url:https://xn--bcher-kva.example/"]}, "true"),
    ({"domain_in": ["b.example"]}, {"resources": ["email:a@c.example"]}, "false"),
    ({"domain_not_in": ["b.example"]}, {"resources": ["email:a@b.example"]}, "false"),
    (
        {"domain_not_in": ["b.example", "*.org.example"]},
        {"resources": ["email:a@b.example", "email:a@x.org.example"]},
        "false",
    ),
    (
        {"domain_not_in": ["b.example"]},
        {"resources": ["email:a@b.example", "email:x@evil.example"]},
        "true",
    ),
    ({"domain_not_in": ["b.example"]}, {"resources": ["file:/a"], "action": "send"}, "false"),
    ({"domain_not_in": ["b.example"]}, {"action": "send"}, "unknown"),
    ({"domain_not_in": ["b.example"]}, {"action": "unknown", "resources": ["resource:x"]}, "unknown"),
    ({"domain_not_in": ["b.example"]}, {"action": "read"}, "false"),
    ({"domain_pattern": "*.Example"}, {"resources": ["email:a@b.example"]}, "true"),
    ({"domain_matches": "evil"}, {"resources": ["url:https://evil.example"]}, "true"),
    ({"goal": "sum up"}, {"goal": "sum up"}, "true"),
    ({"goal": "sum*"}, {"goal": "sum up"}, "false"),
    ({"goal_pattern": "sum*"}, {"goal": "sum up"}, "true"),
    ({"goal_matches": "(?i)SUM"}, {"goal": "sum up"}, "true"),
    ({"goal_not_in": ["x"]}, {"goal": "sum up"}, "true"),
    ({"door": "http"}, {"door": "http"}, "true"),
    ({"door_not_in": ["http"]}, {"door": "http"}, "false"),
    ({"door_pattern": "ht*"}, {"door": "http"}, "true"),
    ({"door_matches": "^ht"}, {"door": "sdk"}, "false"),
]


@pytest.mark.parametrize(("condition", "request_fields", "expected"), CASES, ids=str)
def test_an_attribute_says(condition, request_fields, expected, truth, make):
    assert truth(condition, make(**request_fields)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example\\@good.example/",
        "https://good.example /",
        "https://[bad",
        "https:///path",
        "",
        "x" * 300,
    ],
)
def test_a_host_that_readers_disagree_about_is_not_known(url, truth, make):
    request = make("send", resources=[f"url:{url}"])
    assert truth({"domain_not_in": ["good.example"]}, request) == "unknown"
    assert truth({"domain": "good.example"}, request) == "unknown"


def test_every_key_of_one_condition_must_hold(truth, make):
    condition = {"agent": "a", "operation": "read", "resource": "x"}
    assert truth(condition, make("read", agent="a", resources=["file:x"])) == "true"
    assert truth(condition, make("read", agent="b", resources=["file:x"])) == "false"
    assert truth(condition, make("unknown", agent="a", resources=["file:x"])) == "unknown"


def test_groups_nest(truth, make):
    condition = {
        "any": [{"agent": "a"}, {"all": [{"operation": "read"}, {"none": [{"tool": "x"}, {"tool": "y"}]}]}]
    }
    assert truth(condition, make("read", tool="z")) == "true"
    assert truth(condition, make("read", tool="y")) == "false"
    assert truth(condition, make("unknown", tool="z")) == "unknown"
    assert truth(condition, make("delete", agent="a", tool="y")) == "true"


def test_an_empty_condition_holds_for_every_action(truth, make):
    assert truth({}, make("unknown")) == "true"


def test_text_that_is_not_unicode_is_searched_all_the_same(truth, make):
    assert truth({"goal_matches": "delete"}, make(goal="delete \ud800 all")) == "true"
