"""SVIDs: ids to the letter, the configured domain only, keys of the right use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from clearance.config import SpiffeProvider
from clearance.core.model import Principal, Proof
from tests.adapters.identity.conftest import House

DOMAIN = "prod.example.org"
CRM = f"spiffe://{DOMAIN}/ns/crm/sa/agent-7"


@pytest.fixture
def bundle(house: House, tmp_path: Path) -> Path:
    """The domain's bundle in a file, and a house that reads it."""
    house.issuer.keys = {"k1": ECKey.generate_key("P-256")}
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(house.issuer.jwks(use="jwt-svid")))
    use(house, file)
    return file


def use(house: House, bundle: Path | str, **options: Any) -> None:
    house.use(
        SpiffeProvider(
            name="mesh", trust_domain=DOMAIN, bundle=str(bundle), audience=("clearance",), **options
        )
    )


def svid(house: House, header: dict[str, Any] | None = None, **claims: Any) -> str:
    given = {"iss": None, "client_id": None, "sub": CRM, **claims}
    return house.token(header={"alg": "ES256", **(header or {})}, **given)


def test_an_svid_proves_the_agent_that_its_path_names(house: House, bundle: Path) -> None:
    assert house.agent(svid(house)) == Principal(agent="ns/crm/sa/agent-7", proof=Proof.SVID)
    assert house.known(svid(house, jti="x")) == house.agent(svid(house))


def test_a_template_takes_the_agent_out_of_the_path(house: House, bundle: Path) -> None:
    use(house, bundle, agent="/ns/*/sa/{agent}")
    assert house.agent(svid(house)).agent == "agent-7"
    for other in ("/ns/crm/sa/a/b", "/sa/agent-7", "/ns/a/b/sa/agent-7", "/ns/crm/sb/agent-7"):
        assert house.reason(svid(house, sub=f"spiffe://{DOMAIN}{other}")) == "token_claims"


@pytest.mark.parametrize(
    "subject",
    [
        f"spiffe://{DOMAIN}.evil.org/a",
        f"spiffe://evil.org/{DOMAIN}/a",
        f"spiffe://{DOMAIN}:80/a",
        f"spiffe://u@{DOMAIN}/a",
        f"spiffe://{DOMAIN.upper()}/a",
        f"SPIFFE://{DOMAIN}/a",
        f"https://{DOMAIN}/a",
        f"spiffe://{DOMAIN}",
        "",
        7,
    ],
)
def test_another_domain_has_no_issuer_here(house: House, bundle: Path, subject: Any) -> None:
    assert house.reason(svid(house, sub=subject)) == "token_issuer"


@pytest.mark.parametrize(
    "path",
    ["/", "/a/", "//a", "/a//b", "/../a", "/a/./b", "/a/..", "/a?b", "/a#b", "/a%2fb", "/ä", "/a\n", "/a b"],
)
def test_a_path_that_is_not_the_standards_is_refused(house: House, bundle: Path, path: str) -> None:
    assert house.reason(svid(house, sub=f"spiffe://{DOMAIN}{path}")) == "token_claims"


def test_an_id_that_is_too_long_is_refused(house: House, bundle: Path) -> None:
    assert house.reason(svid(house, sub=f"spiffe://{DOMAIN}/{'a/' * 1_100}a")) == "token_claims"


def test_audience_and_end_are_needed(house: House, bundle: Path) -> None:
    assert house.reason(svid(house, aud=None)) == "token_claims"
    assert house.reason(svid(house, aud="other")) == "token_audience"
    assert house.reason(svid(house, exp=None)) == "token_claims"
    assert house.reason(svid(house, exp=1)) == "token_expired"


@pytest.mark.parametrize("use_of_key", ["sig", "x509-svid", ""])
def test_a_key_of_another_use_signs_no_svid(house: House, bundle: Path, use_of_key: str) -> None:
    bundle.write_text(json.dumps(house.issuer.jwks(**({"use": use_of_key} if use_of_key else {}))))
    assert house.reason(svid(house)) == "token_key_unknown"


def test_only_the_algorithms_and_types_of_the_standard_count(house: House, bundle: Path) -> None:
    assert house.reason(svid(house, header={"typ": "at+jwt"})) == "token_malformed"
    assert house.agent(svid(house, header={"typ": "JOSE"})).proof is Proof.SVID
    token = svid(house)
    import base64

    for algorithm in ("EdDSA", "HS256", "none"):
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
        assert house.reason(f"{head}.{token.split('.', 1)[1]}") == "token_algorithm"


def test_a_bundle_is_fetched_and_rotates(house: House, bundle: Path) -> None:
    house.issuer.stated = {"k1": {"use": "jwt-svid"}, "k2": {"use": "jwt-svid"}}
    use(house, f"{house.issuer.url}/jwks")
    assert house.agent(svid(house)).proof is Proof.SVID
    house.issuer.keys["k2"] = ECKey.generate_key("P-256")
    house.later(seconds=11)
    fresh = house.issuer.token(house.claims(sub=CRM), key_id="k2", header={"alg": "ES256"})
    assert house.agent(fresh).agent == "ns/crm/sa/agent-7"


def test_a_bundle_that_is_not_there_proves_nothing(house: House, bundle: Path) -> None:
    bundle.unlink()
    assert house.reason(svid(house)) == "issuer_unavailable"
