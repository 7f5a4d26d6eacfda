"""An agent whose payment waits for a person. Run it, and say yes from another terminal:

    clearance holds
    clearance approve hold_…

The function runs once, after the yes. After a no, or a minute without an answer, it does not run.
"""

from clearance import ApprovalRequiredError, Client, PolicyViolationError, guard

ASK = {
    "name": "payments_need_a_person",
    "rule": "require_approval",
    "message": "Payments over 1000 need a person.",
    "condition": {"tool": "send_money", "amount_exceeds": 1000},
}


@guard(wait_for_approval_seconds=60, facts={"amount": lambda arguments: arguments["amount"]})
def send_money(to: str, amount: int) -> str:
    return f"sent {amount} to {to}"


def main() -> None:
    with Client(agent="billing") as client:
        client.policies.create(ASK)  # the same one again changes nothing
        with client.run(goal="pay the March bill"):
            print(send_money("Flowers Ltd", 200), flush=True)
            print("asking for 4800 to ACME", flush=True)
            try:
                print(send_money("ACME", 4800))
            except ApprovalRequiredError as held:
                print("nobody answered yet:", held.hold_id)
            except PolicyViolationError as refused:
                print("not sent:", refused.reason_code)


if __name__ == "__main__":
    main()
