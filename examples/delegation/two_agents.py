"""One agent lets another act for it, for ten minutes and for reading only. Needs a server and two keys:

export REPORTING_KEY=$(clearance agent create reporting --owner ann)
export HELPER_KEY=$(clearance agent create helper --owner ann)
clearance serve
"""

import os

import httpx

URL = os.environ.get("CLEARANCE_URL", "http://127.0.0.1:8700")


def agent(key: str) -> httpx.Client:
    return httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {os.environ[key]}"})


def told(answer: httpx.Response) -> str:
    decided = answer.raise_for_status().json()
    return f"{decided['effect']} ({decided['reasons'][0]['code']})"


def main() -> None:
    read = {"action": "get_figures", "operation": "read"}
    send = {"action": "send_email", "resource": "email:ann@shop.example"}
    with agent("REPORTING_KEY") as reporting, agent("HELPER_KEY") as helper:
        wanted = {"to": "helper", "bounds": {"operations": ["read"]}, "seconds": 600}
        made = reporting.post("/v1/delegations", json=wanted).raise_for_status().json()

        on_behalf = {"Clearance-Delegation": made["delegation"]}
        print("helper reads for reporting:", told(helper.post("/v1/actions", json=read, headers=on_behalf)))
        print("helper sends for reporting:", told(helper.post("/v1/actions", json=send, headers=on_behalf)))
        [record] = helper.get("/v1/records", params={"effect": "deny", "limit": 1}).json()["records"]
        [maker] = record["body"]["principal"]["on_behalf_of"]
        print("the record says:", record["agent"], "on behalf of", maker["name"])

        reporting.delete(f"/v1/delegations/{made['delegation_id']}").raise_for_status()
        ended = helper.post("/v1/actions", json=read, headers=on_behalf)
        print("after it was ended:", ended.status_code, ended.json()["error"]["code"])


if __name__ == "__main__":
    main()
