"""Issuing: verified elsewhere; every refusal has its own reason, its record, and nothing else."""

import json
import subprocess
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from sqlmodel import func, select

from core.errors import TrustError
from core.identity import Serial, SubjectKind
from core.ledger.models import EvidenceRow
from core.registry import credential
from pki import hierarchy, issuance_api, revocation
from pki.models import Certificate, IssuanceIntent
from pki.request import IssuanceRequest, IssuedCertificate
from tests.pki.conftest import Pki, csr

P256 = ec.generate_private_key(ec.SECP256R1())
RSA_1024 = rsa.generate_private_key(65537, 1024)


def broken() -> bytes:
    der = bytearray(x509.load_pem_x509_csr(csr(P256, "li-wen")).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return bytes(der)


def edwards() -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM)


BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "other department": ("foreign-name", lambda: csr(P256, "li-wen", names={NameOID.ORGANIZATION_NAME: "公安厅"})),
    "other person": ("foreign-name", lambda: csr(P256, "sun-yue")),
    "other host": ("foreign-name", lambda: csr(P256, "li-wen", dns=("www.fin.beichen.example",))),
    "address": ("foreign-name", lambda: csr(P256, "li-wen", dns=("10.20.0.1.example",))),
    "short RSA": ("weak-key", lambda: csr(RSA_1024, "li-wen")),
    "Edwards": ("weak-key", edwards),
    "other curve": ("weak-key", lambda: csr(ec.generate_private_key(ec.SECP256K1()), "li-wen")),
    "broken signature": ("broken-proof-of-possession", broken),
    "wildcard host": ("wildcard-name", lambda: csr(P256, "li-wen", dns=("*.fin.beichen.example",))),
    "wildcard name": ("wildcard-name", lambda: csr(P256, "li-wen", names={NameOID.COMMON_NAME: "*.beichen.example"})),
    "two megabytes": ("request-too-large", lambda: b"-----BEGIN CERTIFICATE REQUEST-----\n" + b"A" * 2_000_000),
    "nonsense": ("malformed-request", lambda: b"\x30\x03abc"),
    "empty": ("malformed-request", lambda: b""),
    "authority": (
        "forbidden-extension",
        lambda: csr(P256, "li-wen", extensions=(x509.BasicConstraints(ca=True, path_length=0),)),
    ),
}


def counts(pki: Pki) -> tuple[int, int, int]:
    with pki.database.read() as session:
        tables = (IssuanceIntent, Certificate, credential.Credential)
        one, two, three = (session.exec(select(func.count()).select_from(table)).one() for table in tables)
        return one, two, three


def records(pki: Pki, type_: str) -> list[dict[str, object]]:
    with pki.database.read() as session:
        rows = session.exec(
            select(EvidenceRow.content).where(EvidenceRow.type == type_).order_by(EvidenceRow.row)
        ).all()
    return [json.loads(row) for row in rows]


def test_openssl_verifies_the_chain(pki: Pki) -> None:
    issued = pki.issue()
    (pki.folder / "root.pem").write_text(hierarchy.pem_chain(pki.database))
    (pki.folder / "li-wen.pem").write_text(issued.chain_pem)
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "li-wen.pem",
        "li-wen.pem",
    ]
    at = str(int(pki.clock.now().timestamp()) + 60)
    done = subprocess.run(
        [*command[:2], "-attime", at, *command[2:]], cwd=pki.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_names_come_from_the_register(sqlite_pki: Pki) -> None:
    certificate = x509.load_der_x509_certificate(sqlite_pki.issue().der)
    assert [attribute.value for attribute in certificate.subject] == ["CN", "财政厅", "李文", "li-wen"]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:guosuo:person:li-wen"]


def test_intention_comes_before_the_outcome(pki: Pki) -> None:
    issued = pki.issue()
    with pki.database.read() as session:
        intent = session.get_one(IssuanceIntent, issued.serial)
        order = session.exec(
            select(EvidenceRow.type)
            .where(EvidenceRow.object == f"certificate:{issued.serial}")
            .order_by(EvidenceRow.row)
        ).all()
    assert intent.state == "issued"
    assert intent.tbs == x509.load_der_x509_certificate(issued.der).tbs_certificate_bytes
    assert order == ["pki.issuance.intended", "pki.certificate.issued"]


@pytest.mark.parametrize("flaw", BAD)
def test_bad_request_is_refused_with_its_reason(sqlite_pki: Pki, flaw: str) -> None:
    reason, make = BAD[flaw]
    before = counts(sqlite_pki)
    with pytest.raises(TrustError) as caught:
        sqlite_pki.authority.issue(IssuanceRequest(make(), "person", SubjectKind.PERSON, "li-wen"), actor="zhao-ra")
    assert caught.value.word == reason
    assert counts(sqlite_pki) == before
    assert [record["details"] for record in records(sqlite_pki, "pki.request.refused")] == [
        {"reason": reason, "profile": "person"}
    ]


def test_key_of_a_revoked_certificate_is_refused(pki: Pki) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = pki.issue(key=key)
    with pki.database.write() as session:
        revocation.revoke(session, issued.serial, reason="superseded", actor="lu-security", at=pki.clock.now())
    before = counts(pki)
    with pytest.raises(TrustError) as caught:
        pki.issue(key=key)
    assert (caught.value.word, counts(pki)) == ("revoked-key", before)


def test_key_of_somebody_else_is_refused(sqlite_pki: Pki) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sqlite_pki.issue(key=key)
    with pytest.raises(TrustError) as caught:
        sqlite_pki.issue(holder="sun-yue", key=key)
    assert caught.value.word == "reused-key"


@pytest.mark.parametrize(
    ("profile", "kind", "holder", "hosts", "reason"),
    [
        ("gateway", SubjectKind.PERSON, "li-wen", (), "wrong-profile"),
        ("gateway", SubjectKind.GATEWAY, "sensor-1", (), "wrong-profile"),
        ("nonsense", SubjectKind.PERSON, "li-wen", (), "wrong-profile"),
        ("person", SubjectKind.PERSON, "nobody-here", (), "not-in-register"),
        ("person", SubjectKind.PERSON, "li-wen", ("a.fin.beichen.example",), "wrong-profile"),
        ("application", SubjectKind.APPLICATION, "fin-budget-app", ("a.office.beichen.example",), "foreign-name"),
        ("application", SubjectKind.APPLICATION, "fin-budget-app", ("*.fin.beichen.example",), "wildcard-name"),
        ("bootstrap", SubjectKind.BOOTSTRAP, "li-wen", (), "wrong-profile"),
    ],
)
def test_wrong_holder_is_refused(
    sqlite_pki: Pki, profile: str, kind: SubjectKind, holder: str, hosts: tuple[str, ...], reason: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(TrustError) as caught:
        sqlite_pki.authority.issue(
            IssuanceRequest(csr(key, holder), profile, kind, holder, dns_names=hosts), actor="zhao-ra"
        )
    assert caught.value.word == reason
    assert len(records(sqlite_pki, "pki.request.refused")) == 1


def test_lifetime_is_only_ever_shortened(sqlite_pki: Pki) -> None:
    short = x509.load_der_x509_certificate(sqlite_pki.issue(lifetime_seconds=60).der)
    assert (short.not_valid_after_utc - short.not_valid_before_utc).total_seconds() == 59
    long = x509.load_der_x509_certificate(sqlite_pki.issue(lifetime_seconds=10**9).der)
    assert (long.not_valid_after_utc - long.not_valid_before_utc).days == 364


def test_serials_are_long_positive_and_different(sqlite_pki: Pki) -> None:
    serials = [sqlite_pki.issue().serial for _ in range(5)]
    assert len(set(serials)) == 5
    for serial in serials:
        octets = bytes.fromhex(serial)
        assert len(octets) == 20
        assert 0x01 <= octets[0] <= 0x7F


def test_open_intention_is_given_up_and_revoked(pki: Pki) -> None:
    issued = pki.issue()
    serial = Serial("01" * 20)
    with pki.database.write() as session:
        copied = session.get_one(IssuanceIntent, issued.serial).model_dump()
        session.add(IssuanceIntent(**{**copied, "serial": serial, "state": "open"}))
    pki.clock.advance(minutes=5)
    with pki.database.write() as session:
        assert revocation.resume(session, before=pki.clock.now(), at=pki.clock.now()) == 1
    with pki.database.write() as session:
        assert revocation.resume(session, before=pki.clock.now(), at=pki.clock.now()) == 0
    pki.publisher.refresh()
    listed = x509.load_der_x509_crl(pki.publisher.current("issuing"))
    assert listed.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None
    assert len(records(pki, "pki.issuance.abandoned")) == 1


def lives(issued: IssuedCertificate) -> int:
    made = x509.load_der_x509_certificate(issued.der)
    return round((made.not_valid_after_utc - made.not_valid_before_utc).total_seconds() / 86_400)


def test_a_certificate_lives_as_long_as_the_level_of_its_domain_allows(pki: Pki) -> None:
    """Level 3 a year, level 4 half of it: shorter than the profile, and than what was asked."""
    assert lives(pki.issue("li-wen")) == 365
    assert lives(pki.issue("han-office")) == 180
    assert lives(pki.issue("han-office", lifetime_seconds=300 * 86_400)) == 180
    assert lives(pki.issue("han-office", lifetime_seconds=30 * 86_400)) == 30


def test_a_key_below_the_level_is_refused_naming_it(pki: Pki) -> None:
    key = rsa.generate_private_key(65537, 3072)
    assert pki.issue("li-wen", key).serial
    with pytest.raises(TrustError, match=r"RSA of 3072 bits is below protection level 4 \(level table ") as refused:
        pki.issue("han-office", rsa.generate_private_key(65537, 3072))
    assert refused.value.word == "weak-key"
    assert "4096" in refused.value.hint


@pytest.mark.parametrize("seconds", [0, -1, 2**31, 10**30])
def test_a_lifetime_that_no_certificate_has_is_not_asked_for(seconds: int) -> None:
    with pytest.raises(ValidationError, match="lifetime_seconds"):
        issuance_api.IssueRequest(csr="x", profile="person", holder="li-wen", lifetime_seconds=seconds)
