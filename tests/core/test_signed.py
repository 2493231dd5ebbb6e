"""Signed acts: only the right key over exactly the right text, just now, is one."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from core import signed
from core.errors import Malformed
from core.identity import SubjectKind
from core.signed import BadSignature, Statement
from core.signing import Signature
from tests.core.signers import ORIGIN, Key, Signer, certify, sign

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
STATEMENT = Statement("approval.approve", "approval:1", "ab" * 32, "wei-auditor", NOW, ORIGIN)

KEYS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
}


@pytest.fixture(scope="module")
def keys() -> dict[str, Key]:
    return {name: make() for name, make in KEYS.items()}


@pytest.mark.parametrize("name", KEYS)
def test_each_kind_of_key_signs_and_nothing_else_verifies(keys: dict[str, Key], name: str) -> None:
    key, other = keys[name], ec.generate_private_key(ec.SECP256R1())
    certificate, text = certify(key, "wei-auditor", NOW), STATEMENT.text.encode()
    good = sign(key, text)
    made = signed.verify_act(STATEMENT, good, certificate, now=NOW)
    assert json.loads(made.details()["text"])["object"] == "approval:1"  # type: ignore[arg-type]
    bad = [
        sign(other, text),
        sign(key, text + b" "),
        b"",
        good[:-1],
        good + b"\0",
        bytes(len(good)),
        bytes([good[0] ^ 1]) + good[1:],
    ]
    for signature in bad:
        with pytest.raises(BadSignature) as refused:
            signed.verify_act(STATEMENT, signature, certificate, now=NOW)
        assert refused.value.rule.startswith("own-signature ")


def test_rsa_by_pkcs1_is_accepted_and_a_short_key_or_another_hash_is_not(keys: dict[str, Key]) -> None:
    key, text = keys["rsa3072"], STATEMENT.text.encode()
    assert isinstance(key, rsa.RSAPrivateKey)
    certificate = certify(key, "wei-auditor", NOW)
    signed.verify_act(STATEMENT, key.sign(text, padding.PKCS1v15(), hashes.SHA256()), certificate, now=NOW)
    with pytest.raises(BadSignature):
        signed.verify_act(STATEMENT, key.sign(text, padding.PKCS1v15(), hashes.SHA512()), certificate, now=NOW)
    short = rsa.generate_private_key(65537, 2048)
    with pytest.raises(BadSignature):
        signed.verify_act(STATEMENT, sign(short, text), certify(short, "wei-auditor", NOW), now=NOW)


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP521R1()])
def test_other_curves_are_refused(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    with pytest.raises(BadSignature):
        signed.verify_act(STATEMENT, sign(key, STATEMENT.text.encode()), certify(key, "x", NOW), now=NOW)


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(BadSignature):
        signed.verify_act(STATEMENT, b"x", b"\x30\x03\x02\x01\x00", now=NOW)


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_the_time_is_within_five_minutes(keys: dict[str, Key], seconds: int, good: bool) -> None:
    key = keys["p256"]
    certificate = certify(key, "wei-auditor", NOW)
    signature = sign(key, STATEMENT.text.encode())
    now = NOW + timedelta(seconds=seconds)
    if good:
        signed.verify_act(STATEMENT, signature, certificate, now=now)
    else:
        with pytest.raises(BadSignature, match="five minutes"):
            signed.verify_act(STATEMENT, signature, certificate, now=now)


@pytest.mark.parametrize("field", ["act", "object", "digest", "person", "at", "origin"])
def test_a_signature_says_nothing_of_anything_else(keys: dict[str, Key], field: str) -> None:
    key = keys["p256"]
    certificate, signature = certify(key, "wei-auditor", NOW), sign(key, STATEMENT.text.encode())
    content = {name: getattr(STATEMENT, name) for name in ("act", "object", "digest", "person", "at", "origin")}
    content[field] = NOW + timedelta(milliseconds=1) if field == "at" else "other"
    with pytest.raises(BadSignature):
        signed.verify_act(Statement(**content), signature, certificate, now=NOW)


def test_the_text_is_fixed_for_ever() -> None:
    """It is what old signatures are checked against, by other programs too."""
    assert STATEMENT.text == (
        '{"act":"approval.approve","at":"2026-11-20T08:00:00.000Z","digest":"' + "ab" * 32 + '",'
        '"object":"approval:1","origin":"guosuo.example/evidence","person":"wei-auditor","v":1}'
    )


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-20T08:00:00Z", "2026-11-20T08:00:00.000+00:00", "2026-11-20T16:00:00.000+08:00", "2026-11-20"],
)
def test_one_moment_has_one_spelling(text: str) -> None:
    with pytest.raises(Malformed):
        signed.parse_moment(text)


@pytest.mark.parametrize("text", ["", "!", "YQ", "YQ==\n", "ä", base64.b64encode(bytes(2049)).decode()])
def test_a_signature_is_written_in_base64(text: str) -> None:
    with pytest.raises(Malformed):
        signed.parse_signature(text)


@pytest.mark.parametrize("body", [1.5, {"a": float("nan")}, [b"x"], {"a": {1, 2}}, "\ud800", 2**53 + 1, {"a": NOW}])
def test_what_machines_read_differently_has_no_digest(body: object) -> None:
    with pytest.raises(Malformed):
        signed.digest(body)


def test_deep_nesting_is_refused_and_not_a_fault() -> None:
    body: object = "x"
    for _ in range(100_000):
        body = [body]
    with pytest.raises(Malformed):
        signed.digest(body)


def test_a_device_answers_for_nothing() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    peer = Signer("gw-1", key, certify(key, "gw-1", NOW), "0" * 40).peer(NOW)
    device = replace(peer, principal=replace(peer.principal, kind=SubjectKind.GATEWAY))
    with pytest.raises(BadSignature, match="only a person"):
        device.verify(Signature(at="x", signature="x"), act="a", object_="o", digest="d")
