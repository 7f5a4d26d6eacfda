"""Tokens of an identity provider: each attack is refused with its code, and issuers are asked seldom."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from clearance.core.model import AgentSource, Principal, Proof
from clearance.ports import Presented
from tests.adapters.identity.conftest import House
from tests.servers.issuer import Issuer

DISCOVERY = "/.well-known/openid-configuration"


def encoded(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_a_good_token_proves_its_agent_and_the_agent_is_registered_once(house: House) -> None:
    token = house.token()
    assert house.agent(token) == Principal(agent="crm", proof=Proof.TOKEN)
    assert house.known(token) == house.agent(token)
    assert house.agent(house.token(jti="another")).agent == "crm"
    assert house.arrivals == [("crm", AgentSource.PROVIDER, "provider:idp")]


def test_a_token_without_signature_is_refused(house: House) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE"):
        for signature in ("", "AAAA"):
            token = f"{encoded({'alg': algorithm})}.{encoded(house.claims())}.{signature}"
            assert house.reason(token) == "token_algorithm"
    assert house.issuer.asked == {}  # not worth a question


def test_a_public_key_is_no_shared_secret(house: House) -> None:
    public = house.issuer.keys["k1"].as_pem(private=False)
    for algorithm in ("HS256", "HS384", "HS512"):
        header = {"alg": algorithm, "kid": "k1"}
        registry = jws.JWSRegistry(algorithms=[algorithm])
        for secret in (public, public.strip()):
            key = OctKey(secret, secret)
            token = jws.serialize_compact(header, json.dumps(house.claims()), key, registry=registry)
            assert house.reason(token) == "token_algorithm"


def test_a_shared_secret_among_the_issuers_keys_verifies_nothing(house: House) -> None:
    house.issuer.stated["k1"] = {"kty": "oct", "k": encoded("secret" * 8)}
    assert house.reason(house.token()) == "token_key_unknown"


def test_an_algorithm_that_the_provider_does_not_use_is_refused(issuer: Issuer) -> None:
    house = House(issuer, algorithms=("ES256",))
    assert house.reason(house.token()) == "token_algorithm"
    house = House(issuer)
    issuer.stated["k1"] = {"alg": "PS256"}
    assert house.reason(house.token()) == "token_key_unknown"  # the key says that it signs otherwise


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", ECKey.generate_key("P-256")),
        ("EdDSA", OKPKey.generate_key("Ed25519")),
        ("Ed25519", OKPKey.generate_key("Ed25519")),
        ("PS256", RSAKey.generate_key(2048)),
    ],
)
def test_keys_of_every_kind_verify(house: House, algorithm: str, key: Any) -> None:
    house.issuer.keys["other"] = key
    assert house.agent(house.token(key_id="other", header={"alg": algorithm})).agent == "crm"


def test_a_curve_that_is_not_the_algorithms_does_not_verify(house: House) -> None:
    house.issuer.keys["ec"] = ECKey.generate_key("P-384")
    signed = house.issuer.token(house.claims(), key_id="ec", header={"alg": "ES384"})
    _, claims, signature = signed.split(".")
    token = f"{encoded({'alg': 'ES256', 'kid': 'ec'})}.{claims}.{signature}"
    assert house.reason(token) == "token_signature"


def test_a_weak_key_of_an_issuer_verifies_nothing(house: House) -> None:
    house.issuer.keys["k1"] = RSAKey.generate_key(1024)
    assert house.reason(house.token()) == "token_key_unknown"


def test_a_token_for_somebody_else_is_refused(house: House) -> None:
    for audience in ("other", ["other", "Clearance"], "clearance ", [], ""):
        assert house.reason(house.token(aud=audience)) == "token_audience"
    for audience in (None, 7, {"clearance": 1}, ["clearance", 7]):
        assert house.reason(house.token(aud=audience)) == "token_claims"
    assert house.agent(house.token(aud=["other", "clearance"])).agent == "crm"


def test_an_issuer_is_known_to_the_character(house: House) -> None:
    url = house.issuer.url
    for other in (f"{url}/", url.upper(), "https://evil.example", "", None, [url], {"url": url}):
        assert house.reason(house.token(iss=other)) == "token_issuer"


def test_time_binds_with_a_little_leeway(house: House) -> None:
    now = int(house.now.timestamp())
    assert house.reason(house.token(exp=now - 30)) == "token_expired"
    assert house.agent(house.token(exp=now - 29)).agent == "crm"
    assert house.reason(house.token(nbf=now + 31)) == "token_not_yet_valid"
    assert house.reason(house.token(iat=now + 31)) == "token_not_yet_valid"
    assert house.agent(house.token(nbf=now + 30)).agent == "crm"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["tomorrow", True, -1, 10**30, 1e300, [], {}])
def test_a_time_that_is_none_is_refused(house: House, name: str, value: Any) -> None:
    assert house.reason(house.token(**{name: value})) == "token_claims"


def test_a_token_without_an_end_is_refused(house: House) -> None:
    assert house.reason(house.token(exp=None)) == "token_claims"


def test_a_token_that_is_remembered_still_ends(house: House) -> None:
    token = house.token()
    house.agent(token)
    house.later(seconds=329)
    assert house.agent(token).agent == "crm"
    house.later(seconds=1)
    assert house.reason(token) == "token_expired"


def test_changed_claims_or_signatures_do_not_verify(house: House) -> None:
    head, _, signature = house.token().split(".")
    assert house.reason(f"{head}.{encoded(house.claims(client_id='admin'))}.{signature}") == "token_signature"
    assert house.reason(f"{house.token()[:-6]}AAAAAA") == "token_signature"
    assert house.reason(house.token().rpartition(".")[0] + ".") == "token_signature"


@pytest.mark.parametrize(
    "key_id",
    [
        "../../../../dev/null",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1:1/jwks",
        "' OR 1=1 --",
        "k1\x00",
        "k1 ",
        "K1",
        "%6b1",
    ],
)
def test_a_key_id_is_compared_and_nothing_else(house: House, key_id: str) -> None:
    header = {"alg": "RS256", "kid": key_id}
    token = house.issuer.token(house.claims(), header=header)
    assert house.reason(token) == "token_key_unknown"
    assert set(house.issuer.asked) == {DISCOVERY, "/jwks"}


@pytest.mark.parametrize("key_id", [7, None, ["k1"], {"k": 1}, "k" * 257])
def test_a_key_id_of_another_form_is_refused(house: House, key_id: Any) -> None:
    token = f"{encoded({'alg': 'RS256', 'kid': key_id})}.{encoded(house.claims())}.AAAA"
    assert house.reason(token) == "token_malformed"


def test_a_token_brings_no_key_of_its_own(house: House) -> None:
    own = RSAKey.generate_key(2048)
    public = {**own.as_dict(private=False), "kid": "mine"}
    evil = Issuer()
    evil.keys = {"k1": own}
    try:
        for extra in (
            {"jwk": public},
            {"jku": f"{evil.url}/jwks"},
            {"x5u": f"{evil.url}/jwks"},
            {"x5c": ["AAAA"]},
        ):
            for key_id in ("mine", "k1", None):
                header = {"alg": "RS256", **extra, **({} if key_id is None else {"kid": key_id})}
                token = f"{encoded(header)}.{encoded(house.claims())}"
                signed = own.get_op_key("sign")
                from cryptography.hazmat.primitives import hashes
                from cryptography.hazmat.primitives.asymmetric import padding

                signature = signed.sign(token.encode(), padding.PKCS1v15(), hashes.SHA256())
                ending = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
                assert house.reason(f"{token}.{ending}") in ("token_key_unknown", "token_signature")
        assert evil.asked == {}
    finally:
        evil.close()


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"crit": ["b64"], "b64": False}]
)
def test_extensions_are_not_understood_and_so_refused(house: House, extra: dict[str, Any]) -> None:
    _head, claims, signature = house.token().split(".")
    token = f"{encoded({'alg': 'RS256', 'kid': 'k1', **extra})}.{claims}.{signature}"
    assert house.reason(token) == "token_malformed"


def test_a_claim_that_stands_twice_is_refused(house: House) -> None:
    text = json.dumps(house.claims())
    twice = text[:-1] + ', "sub": "admin"}'
    assert house.reason(house.issuer.token(twice)) == "token_malformed"
    nested = text[:-1] + ', "act": {"sub": "a", "sub": "b"}}'
    assert house.reason(house.issuer.token(nested)) == "token_malformed"


def test_deep_nesting_large_tokens_and_nonsense_are_refused_quickly(house: House) -> None:
    deep = '{"iss":' + "[" * 5_000 + "]" * 5_000 + "}"
    head = encoded({"alg": "RS256"})
    nonsense = [
        f"{head}.{encoded(deep)}.AAAA",
        f"{head}.{encoded('{' + chr(34) + 'a' + chr(34) + ':NaN}')}.AAAA",
        f"{head}.{encoded('{' + chr(34) + 'exp' + chr(34) + ':1e999}')}.AAAA",
        f"{head}.{encoded('[]')}.AAAA",
        f"{head}.!!!.AAAA",
        f"{head}..AAAA",
        "ey..",
        "ey\ud800.e.e",
        f"{head}.{encoded({})}.{'A' * 1_000_000}",
        f"{encoded({'alg': 'RS256', 'kid': 'k' * 1_000_000})}.{encoded({})}.AAAA",
    ]
    assert {house.reason(token) for token in nonsense} == {"token_malformed"}
    assert house.issuer.asked == {}


@pytest.mark.parametrize("token_type", ["logout+jwt", "dpop+jwt", "secevent+jwt", "id_token"])
def test_a_token_of_another_type_is_no_access_token(house: House, token_type: str) -> None:
    assert house.reason(house.token(header={"typ": token_type})) == "token_malformed"


def test_only_the_type_that_is_asked_for_counts(issuer: Issuer) -> None:
    house = House(issuer, token_type="at+jwt")
    for good in ("at+jwt", "application/at+jwt", "AT+JWT"):
        assert house.agent(house.token(header={"typ": good})).agent == "crm"
    for bad in ({"typ": "JWT"}, {}):
        assert house.reason(house.token(header=bad)) == "token_malformed"


def test_a_token_that_is_bound_to_a_holders_key_is_no_bearers(house: House) -> None:
    assert house.reason(house.token(cnf={"jkt": "x"})) == "token_claims"


def test_a_token_for_one_use_is_good_once_whoever_asks(issuer: Issuer) -> None:
    house = House(issuer, single_use=True)
    token = house.token(jti="one")
    assert house.known(token) is None  # it is used up where it may be written down
    assert house.agent(token).agent == "crm"
    assert house.reason(token) == "token_replayed"
    assert house.reason(house.token(jti="one", scope="x")) == "token_replayed"
    assert house.reason(house.token()) == "token_claims"
    another = House(issuer, single_use=True)
    another.state = house.state
    another.use(*house.providers)
    assert another.reason(token) == "token_replayed"


def test_a_token_for_one_use_is_good_once_of_many_at_once(issuer: Issuer) -> None:
    house = House(issuer, single_use=True)
    token, outcomes = house.token(jti="one"), []
    house.agent(house.token(jti="warm"))

    def ask() -> None:
        try:
            outcomes.append(house.identity.identify(Presented(credential=token), house.now) is not None)
        except Exception as error:
            outcomes.append(getattr(error, "reason", "?"))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["True", *["token_replayed"] * 15]


def test_a_refused_token_is_not_used_up(issuer: Issuer) -> None:
    house = House(issuer, single_use=True, agents="registered")
    from clearance.config import Admission, OidcProvider

    house.use(
        OidcProvider(
            name="idp",
            issuer=issuer.url,
            audience=("clearance",),
            single_use=True,
            agents=Admission.REGISTERED,
        )
    )
    token = house.token(jti="one")
    assert house.reason(token) == "agent_unknown"
    house._arrived("crm", source=AgentSource.REGISTERED, by="p")
    assert house.agent(token).agent == "crm"


def test_a_retired_agents_token_is_refused_in_flight(house: House) -> None:
    token = house.token()
    house.agent(token)
    house.retire("crm")
    assert house.reason(token) == "agent_retired"
    with pytest.raises(Exception, match="retired"):
        house.known(token)


def test_whoever_acts_for_a_retired_agent_is_refused(house: House) -> None:
    house.agent(house.token(client_id="mid", sub="mid"))
    house.retire("mid")
    token = house.token(sub="u", act={"sub": "crm", "act": {"sub": "mid"}})
    assert house.reason(token) == "agent_retired"


def test_a_flood_of_unknown_keys_asks_the_issuer_once(house: House) -> None:
    house.agent(house.token())
    house.later(seconds=20)
    before = house.issuer.asked["/jwks"]
    tokens = [house.issuer.token(house.claims(), header={"kid": f"x{index}"}) for index in range(40)]
    reasons: list[str] = []
    threads = [threading.Thread(target=lambda one=one: reasons.append(house.reason(one))) for one in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons == ["token_key_unknown"] * 40
    assert house.issuer.asked["/jwks"] == before + 1
    with pytest.raises(Exception, match="no such key"):
        house.known(tokens[0])  # told at once: nothing is to be asked


def test_the_first_callers_all_wait_for_one_answer(house: House) -> None:
    house.issuer.gate.clear()
    tokens = [house.token(jti=str(index), client_id=f"a{index}", sub=f"a{index}") for index in range(8)]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(house.agent(one).agent)) for one in tokens
    ]
    for thread in threads:
        thread.start()
    assert house.known(tokens[0]) is None
    house.issuer.gate.set()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"a{index}" for index in range(8)]
    assert house.issuer.asked == {DISCOVERY: 1, "/jwks": 1}


def test_a_rotated_key_is_found_and_an_old_one_that_is_gone_proves_nothing_more(house: House) -> None:
    old = house.token()
    house.agent(old)
    house.issuer.keys["k2"] = RSAKey.generate_key(2048)
    fresh = house.token(key_id="k2")
    house.later(seconds=11)
    assert house.known(fresh) is None
    assert house.agent(fresh).agent == "crm"
    assert house.agent(old).agent == "crm"
    del house.issuer.keys["k1"]
    house.later(seconds=299)
    assert house.agent(old).agent == "crm"  # nobody has asked yet
    house.later(seconds=1)
    assert house.reason(old) == "token_key_unknown"


def test_keys_hold_for_a_while_when_the_issuer_is_down_and_then_no_longer(issuer: Issuer) -> None:
    house = House(issuer, stale_seconds=1_000.0)
    token = house.token(exp=int(house.now.timestamp()) + 10_000)
    house.agent(token)
    issuer.is_down = True
    house.later(seconds=900)
    assert house.agent(token).agent == "crm"
    house.later(seconds=101)
    assert house.reason(token) == "issuer_unavailable"
    issuer.is_down = False
    assert house.reason(token) == "issuer_unavailable"  # asked just now
    house.later(seconds=10)
    assert house.agent(token).agent == "crm"


def test_an_issuer_that_never_answered_proves_nothing_and_is_not_asked_each_time(house: House) -> None:
    house.issuer.is_down = True
    for _ in range(5):
        assert house.reason(house.token()) == "issuer_unavailable"
    assert sum(house.issuer.asked.values()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": "http://evil.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"jwks_uri": ["x"]},
    ],
)
def test_a_discovery_document_that_is_not_the_issuers_is_not_followed(
    house: House, wrong: dict[str, Any]
) -> None:
    house.issuer.discovery = wrong
    assert house.reason(house.token()) == "issuer_unavailable"
    assert "/jwks" not in house.issuer.asked


def test_redirects_are_not_followed(house: House) -> None:
    house.issuer.redirect = f"{house.issuer.url}/elsewhere"
    assert house.reason(house.token()) == "issuer_unavailable"
    assert house.issuer.asked == {DISCOVERY: 1}


def test_keys_are_found_without_discovery_where_their_address_is_configured(issuer: Issuer) -> None:
    house = House(issuer, jwks_uri=f"{issuer.url}/jwks")
    assert house.agent(house.token()).agent == "crm"
    assert issuer.asked == {"/jwks": 1}


def test_a_token_without_key_id_needs_the_issuer_to_have_one_key(house: House) -> None:
    assert house.agent(house.token(key_id=None)).agent == "crm"
    house.issuer.keys["k2"] = RSAKey.generate_key(2048)
    house.later(seconds=300)
    assert house.reason(house.token(key_id=None, jti="x")) == "token_key_unknown"


def test_a_token_is_known_without_asking_once_it_was_seen(house: House) -> None:
    house.agent(house.token())
    asked = dict(house.issuer.asked)
    assert house.known(house.token(jti="new")) is not None
    assert house.issuer.asked == asked
