"""Signed requests and keys: the vectors of the RFCs, every algorithm, and everything that is refused."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from core.errors import TrustError
from pki.acme import jws
from pki.acme.jwk import parse_jwk
from tests.pki.acme import client
from tests.pki.acme.client import b64, jwk

KEYS: dict[str, client.Key] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}
URL = "https://ca.example/acme/issuing/new-order"


def made(key: client.Key, **more: Any) -> dict[str, str]:
    header = {"alg": client.algorithm(key), "nonce": "AAAA", "url": URL, "jwk": jwk(key), **more}
    return client.jws({name: value for name, value in header.items() if value is not None}, {"a": 1}, key)


def check(content: object) -> jws.Jws:
    """As the server does: read, then verify with the key that stands in it."""
    found = jws.parse_jws(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert found.key is not None
    jws.verify(found, found.key)
    return found


@pytest.mark.parametrize("name", KEYS)
def test_every_algorithm_verifies_and_one_bit_does_not(name: str) -> None:
    good = made(KEYS[name])
    assert check(good).payload == b'{"a": 1}'
    for part in ("payload", "signature"):
        octets = bytearray(jws.encoding.decode(good[part], part))
        octets[len(octets) // 2] ^= 1
        with pytest.raises(TrustError) as caught:
            check({**good, part: b64(bytes(octets))})
        assert caught.value.word == "unauthorized"


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("claimed", ["none", "HS256", "ES256", "ES384", "EdDSA", "RS256", "PS256", "es256", ""])
def test_key_signs_by_its_own_algorithm_only(name: str, claimed: str) -> None:
    if claimed == name:
        return
    with pytest.raises(TrustError) as caught:
        check(made(KEYS[name], alg=claimed))
    assert caught.value.word == "badSignatureAlgorithm"


def test_thumbprint_of_the_rsa_key_in_rfc_7638() -> None:
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    key = parse_jwk({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_thumbprint_of_the_edwards_key_in_rfc_8037() -> None:
    key = parse_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_signature_in_der_is_none() -> None:
    good = made(KEYS["ES256"])
    raw = jws.encoding.decode(good["signature"], "signature")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    with pytest.raises(TrustError) as caught:
        check({**good, "signature": b64(der)})
    assert caught.value.word == "unauthorized"


P256 = jwk(KEYS["ES256"])
SHORT = jwk(rsa.generate_private_key(65537, 1024))


@pytest.mark.parametrize(
    ("flaw", "key"),
    [
        ("no object", "P-256"),
        ("no kind", {}),
        ("secret", {"kty": "oct", "k": "AAAA"}),
        ("private", {**P256, "d": P256["x"]}),
        ("other curve", {**P256, "crv": "secp256k1"}),
        ("short coordinate", {**P256, "x": b64(b"\1" * 31)}),
        ("long coordinate", {**P256, "x": b64(b"\0" + b"\1" * 32)}),
        ("not on the curve", {**P256, "x": P256["y"], "y": P256["x"]}),
        ("at infinity", {**P256, "x": b64(bytes(32)), "y": b64(bytes(32))}),
        ("padding", {**P256, "x": P256["x"] + "="}),
        ("stray bits", {**P256, "x": P256["x"][:-1] + "B"}),
        ("number for a text", {**P256, "x": 1}),
        ("other Edwards curve", {"kty": "OKP", "crv": "Ed448", "x": b64(bytes(57))}),
        ("short Edwards key", {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(31))}),
        ("short RSA", SHORT),
        ("RSA exponent of 3", {**jwk(KEYS["RS256"]), "e": b64(b"\3")}),
        ("even RSA exponent", {**jwk(KEYS["RS256"]), "e": b64(b"\1\0\0\0")}),
        ("RSA with a zero before", {**jwk(KEYS["RS256"]), "n": b64(b"\0" + b"\xff" * 256)}),
        ("huge RSA", {"kty": "RSA", "n": b64(b"\xff" * 4096), "e": "AQAB"}),
        ("list for a kind", {"kty": ["EC"]}),
    ],
)
def test_bad_key_is_refused(flaw: str, key: object) -> None:
    with pytest.raises(TrustError) as caught:
        parse_jwk(key)
    assert caught.value.word in ("badPublicKey", "malformed"), flaw


GOOD = made(KEYS["ES256"])
HEADER = json.loads(jws.encoding.decode(GOOD["protected"], "protected"))


def protected(content: bytes) -> dict[str, str]:
    return {**GOOD, "protected": b64(content)}


@pytest.mark.parametrize(
    ("flaw", "content"),
    [
        ("empty", b""),
        ("no JSON", b"nonsense"),
        ("a list", b"[]"),
        ("not UTF-8", b'{"protected": "\xff"}'),
        ("deep", b"[" * 100_000),
        ("a number without end", b'{"payload": ' + b"9" * 10_000 + b"}"),
        ("NaN", b'{"payload": NaN}'),
        ("too large", b" " * 200_000),
        ("a member twice", json.dumps(GOOD).encode().replace(b"{", b'{"payload": "", ', 1)),
        ("general serialization", {"payload": GOOD["payload"], "signatures": [GOOD]}),
        ("an unprotected header", {**GOOD, "header": {"kid": "x"}}),
        ("no signature", {name: GOOD[name] for name in ("protected", "payload")}),
        ("padded payload", {**GOOD, "payload": GOOD["payload"] + "=="}),
        ("payload as an object", {**GOOD, "payload": {}}),
        ("header is a list", protected(b"[]")),
        ("header says something twice", protected(json.dumps(HEADER).encode().replace(b"{", b'{"alg": "none", ', 1))),
        ("critical", protected(json.dumps({**HEADER, "crit": ["exp"], "exp": 1}).encode())),
        ("unencoded payload", protected(json.dumps({**HEADER, "b64": False}).encode())),
        ("key and account", protected(json.dumps({**HEADER, "kid": URL}).encode())),
        ("neither", protected(json.dumps({n: v for n, v in HEADER.items() if n != "jwk"}).encode())),
        ("url is a number", protected(json.dumps({**HEADER, "url": 1}).encode())),
        ("endless nonce", protected(json.dumps({**HEADER, "nonce": "A" * 501}).encode())),
    ],
)
def test_what_is_no_request_is_malformed(flaw: str, content: object) -> None:
    with pytest.raises(TrustError) as caught:
        check(content)
    assert caught.value.word == "malformed", flaw


def test_binding_takes_a_mac_and_nothing_else() -> None:
    secret = bytes(32)
    good = jws.read(client.jws({"alg": "HS256", "kid": "1", "url": URL}, P256, secret))
    assert jws.is_authentic(good, secret)
    assert not jws.is_authentic(good, b"\1" * 32)
    with pytest.raises(TrustError) as caught:
        jws.is_authentic(jws.read(made(KEYS["ES256"])), secret)
    assert caught.value.word == "badSignatureAlgorithm"
