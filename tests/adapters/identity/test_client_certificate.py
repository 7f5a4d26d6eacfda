"""A forwarded client certificate counts from a trusted proxy, with one SPIFFE id; not otherwise."""

from __future__ import annotations

import pytest

from clearance.config import SpiffeProvider
from clearance.core.model import Principal, Proof
from tests.adapters.identity.conftest import House

DOMAIN = "prod.example.org"
CRM = f"spiffe://{DOMAIN}/crm"
PROXY = "10.0.0.7"
GOOD = (
    f'By=spiffe://{DOMAIN}/gate;Hash=468ed33be74eee65;Subject="CN=a\\",URI=spiffe://{DOMAIN}/evil";URI={CRM}'
)


@pytest.fixture
def meshed(house: House) -> House:
    house.use(
        *house.providers,
        SpiffeProvider(name="mesh", trust_domain=DOMAIN),
        trusted_proxies=("10.0.0.0/24", "fd00::/64"),
    )
    return house


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "fd00::1"])
def test_a_certificate_from_a_trusted_proxy_proves_its_agent(meshed: House, peer: str) -> None:
    found = meshed.agent(client_certificate=GOOD, peer=peer)
    assert found == Principal(agent="crm", proof=Proof.MTLS)


@pytest.mark.parametrize(
    "peer", ["10.0.1.7", "127.0.0.1", "", "10.0.0.7, 1.2.3.4", "proxy", "fd01::1", "10.0.0.7 "]
)
def test_a_header_from_anybody_else_proves_nothing(meshed: House, peer: str) -> None:
    assert meshed.reason(client_certificate=GOOD, peer=peer) == "proxy_untrusted"


def test_a_header_from_anybody_else_neither_helps_nor_harms_a_credential(meshed: House) -> None:
    evil = f"URI=spiffe://{DOMAIN}/admin"
    found = meshed.agent(meshed.token(), client_certificate=evil, peer="1.2.3.4")
    assert found == Principal(agent="crm", proof=Proof.TOKEN)


@pytest.mark.parametrize(
    "header",
    [
        f"URI={CRM},URI={CRM}",
        f"By=x;URI={CRM},By=y;URI=spiffe://{DOMAIN}/admin",
        f"URI={CRM};URI=spiffe://{DOMAIN}/admin",
        f"URI={CRM};uri=spiffe://{DOMAIN}/admin",
        "Hash=abc",
        "URI=",
        "URI=https://prod.example.org/crm",
        "URI=spiffe://evil.org/crm",
        f"URI=spiffe://{DOMAIN}.evil.org/crm",
        f"URI=spiffe://{DOMAIN}/../crm",
        f'Subject="CN=a;URI={CRM}',
        f"URI={CRM};",
        f"URI={CRM} ",
        f"URI={CRM}\n",
        f";URI={CRM}",
        "x" * 100_000,
        f"URI={CRM};By=" + "x" * 100_000,
    ],
)
def test_anything_but_one_certificate_with_one_id_is_refused(meshed: House, header: str) -> None:
    assert meshed.reason(client_certificate=header, peer=PROXY) == "token_claims"


def test_two_credentials_prove_one_agent_or_none(meshed: House) -> None:
    both = meshed.agent(meshed.token(), client_certificate=GOOD, peer=PROXY)
    assert both == Principal(agent="crm", proof=Proof.MTLS)
    other = f"URI=spiffe://{DOMAIN}/billing"
    assert meshed.reason(meshed.token(), client_certificate=other, peer=PROXY) == "unauthenticated"
    assert meshed.reason(meshed.token(exp=1), client_certificate=GOOD, peer=PROXY) == "token_expired"
    assert meshed.reason("garbage", client_certificate=GOOD, peer=PROXY) == "unauthenticated"
    assert meshed.reason(meshed.token(), client_certificate="URI=x", peer=PROXY) == "token_claims"


def test_without_trusted_proxies_no_certificate_counts(house: House) -> None:
    assert house.reason(client_certificate=GOOD, peer=PROXY) == "proxy_untrusted"
    assert house.agent(house.token(), client_certificate=GOOD, peer=PROXY).proof is Proof.TOKEN


def test_a_retired_agents_certificate_is_refused(meshed: House) -> None:
    meshed.agent(client_certificate=GOOD, peer=PROXY)
    meshed.retire("crm")
    assert meshed.reason(client_certificate=GOOD, peer=PROXY) == "agent_retired"
