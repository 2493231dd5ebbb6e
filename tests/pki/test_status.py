"""Status: CRL, OCSP and authentication say the same, and openssl believes them."""

import subprocess
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlmodel import select

from core.errors import Conflict, NotFound, TrustError, Unauthenticated
from core.identity import Serial
from core.registry.models import Person
from pki import hierarchy, issuer, reason, revocation
from pki.models import CrlPublication
from pki.ocsp import issuer_hashes
from tests.pki.conftest import Pki


def revoke(pki: Pki, serial: str, word: str = "key-compromise") -> None:
    with pki.database.write() as session:
        revocation.revoke(session, Serial(serial), reason=word, actor="lu-security", at=pki.clock.now())


def issuing(pki: Pki) -> x509.Certificate:
    with pki.database.read() as session:
        return x509.load_der_x509_certificate(issuer.get(session, "issuing").der)


def ask(pki: Pki, serial: int, nonce: bytes | None = None) -> ocsp.OCSPResponse:
    name, key = issuer_hashes(issuing(pki), hashes.SHA256())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, hashes.SHA256())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return ocsp.load_der_ocsp_response(pki.responder.respond(builder.build().public_bytes(Encoding.DER)))


@pytest.mark.parametrize("word", sorted(reason.CODES))
def test_revoked_everywhere_at_once(sqlite_pki: Pki, word: str) -> None:
    pki = sqlite_pki
    issued = pki.issue()
    assert pki.authenticator.authenticate(issued.der).identifier == "li-wen"
    revoke(pki, issued.serial, word)
    with pytest.raises(Unauthenticated) as caught:
        pki.authenticator.authenticate(issued.der)
    assert caught.value.word == "revoked"
    answer = ask(pki, int(issued.serial, 16))
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    pki.publisher.refresh()
    entry = x509.load_der_x509_crl(pki.publisher.current("issuing")).get_revoked_certificate_by_serial_number(
        int(issued.serial, 16)
    )
    assert entry is not None
    expected = None if word == "unspecified" else reason.flag(word)
    assert answer.revocation_reason == expected
    assert [extension.value.reason for extension in entry.extensions] == ([expected] if expected else [])


def test_openssl_believes_list_and_responder(pki: Pki) -> None:
    # openssl judges times by the machine's clock.
    pki.clock.advance(seconds=(datetime.now(UTC) - pki.clock.now()).total_seconds())
    good, bad = pki.issue(), pki.issue(holder="sun-yue")
    revoke(pki, bad.serial)
    pki.publisher.refresh()
    chain = hierarchy.pem_chain(pki.database)
    (pki.folder / "trust.pem").write_text(chain)
    (pki.folder / "issuing.pem").write_bytes(issuing(pki).public_bytes(Encoding.PEM))
    lists = b"".join(
        x509.load_der_x509_crl(pki.publisher.current(name)).public_bytes(Encoding.PEM) for name in ("root", "issuing")
    )
    (pki.folder / "lists.pem").write_bytes(lists)
    for name, issued, expected in (("good", good, 0), ("bad", bad, 2)):
        (pki.folder / f"{name}.pem").write_text(issued.chain_pem)
        command = [
            "openssl",
            "verify",
            "-crl_check_all",
            "-CRLfile",
            "lists.pem",
            "-CAfile",
            "trust.pem",
            "-untrusted",
            f"{name}.pem",
            f"{name}.pem",
        ]
        done = subprocess.run(command, cwd=pki.folder, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        request = [
            "openssl",
            "ocsp",
            "-issuer",
            "issuing.pem",
            "-cert",
            f"{name}.pem",
            "-no_nonce",
            "-reqout",
            "request",
        ]
        subprocess.run(request, cwd=pki.folder, check=True, capture_output=True)
        (pki.folder / "answer").write_bytes(pki.responder.respond((pki.folder / "request").read_bytes()))
        check = [
            "openssl",
            "ocsp",
            "-respin",
            "answer",
            "-issuer",
            "issuing.pem",
            "-cert",
            f"{name}.pem",
            "-CAfile",
            "trust.pem",
            "-no_nonce",
        ]
        said = subprocess.run(check, cwd=pki.folder, capture_output=True, text=True, check=False)
        assert "Response verify OK" in said.stderr
        assert (": good" if name == "good" else ": revoked") in said.stdout


def test_unknown_serial_is_unknown(sqlite_pki: Pki) -> None:
    assert ask(sqlite_pki, 12345).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


@pytest.mark.parametrize("length", [1, 32, 128])
def test_nonce_is_returned(sqlite_pki: Pki, length: int) -> None:
    answer = ask(sqlite_pki, 1, b"n" * length)
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * length


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"junk" * 10, b"\x30" * 5000])
def test_malformed_question_gets_an_ocsp_error(sqlite_pki: Pki, content: bytes) -> None:
    answer = ocsp.load_der_ocsp_response(sqlite_pki.responder.respond(content))
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_too_long_nonce_is_malformed(sqlite_pki: Pki) -> None:
    assert ask(sqlite_pki, 1, b"n" * 129).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_question_about_a_foreign_authority_is_unauthorized(sqlite_pki: Pki) -> None:
    request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"x" * 32, b"y" * 32, 1, hashes.SHA256()).build()
    answer = ocsp.load_der_ocsp_response(sqlite_pki.responder.respond(request.public_bytes(Encoding.DER)))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_second_revocation_and_strangers_are_refused(sqlite_pki: Pki) -> None:
    issued = sqlite_pki.issue()
    revoke(sqlite_pki, issued.serial)
    with pytest.raises(Conflict):
        revoke(sqlite_pki, issued.serial)
    with pytest.raises(NotFound):
        revoke(sqlite_pki, "02" * 20)
    with pytest.raises(TrustError, match="no revocation reason"):
        revoke(sqlite_pki, sqlite_pki.issue().serial, "because")


def test_list_numbers_only_grow(pki: Pki) -> None:
    assert pki.publisher.refresh() == [1, 1]
    assert pki.publisher.refresh() == []
    revoke(pki, pki.issue().serial)
    assert pki.publisher.refresh() == [2]
    pki.clock.advance(hours=13)
    assert pki.publisher.refresh() == [2, 3]
    with pki.database.read() as session:
        published = session.exec(select(CrlPublication).where(CrlPublication.issuer == "issuing")).all()
    assert [row.number for row in published if row.published_at is not None] == [1, 2, 3]
    assert all(row.next_update > row.this_update for row in published)


def test_principal_is_who_the_register_says(pki: Pki) -> None:
    principal = pki.authenticator.authenticate(pki.issue().der)
    assert (principal.name, principal.organisation, principal.domain) == ("李文", "bc-czt", "outer-finance")


def certificate(subject: x509.Name, authority: x509.Name, key: ec.EllipticCurvePrivateKey, pki: Pki) -> bytes:
    now = pki.clock.now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority)
        .serial_number(5)
        .public_key(key.public_key())
    )
    return (
        builder.not_valid_before(now)
        .not_valid_after(now.replace(year=now.year + 1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def test_every_impostor_has_its_reason(sqlite_pki: Pki) -> None:
    pki = sqlite_pki
    key = ec.generate_private_key(ec.SECP256R1())
    stranger = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Elsewhere")])
    issued = pki.issue(lifetime_seconds=3600)
    changed = bytearray(issued.der)
    changed[-1] ^= 1
    cases = {
        "foreign-issuer": certificate(stranger, stranger, key, pki),
        "look-alike-issuer": certificate(stranger, issuing(pki).subject, key, pki),
        "bad-certificate": b"\x30\x03abc",
    }
    with pki.database.read() as session:
        cases["wrong-purpose"] = issuer.get(session, "ocsp").der
    for expected, content in cases.items():
        with pytest.raises(Unauthenticated) as caught:
            pki.authenticator.authenticate(content)
        assert caught.value.word == expected
    with pytest.raises(Unauthenticated) as tampered:
        pki.authenticator.authenticate(bytes(changed))
    assert tampered.value.word in ("look-alike-issuer", "bad-certificate")


def test_time_is_judged_now(sqlite_pki: Pki) -> None:
    issued = sqlite_pki.issue(lifetime_seconds=60)
    sqlite_pki.clock.advance(seconds=-5)
    with pytest.raises(Unauthenticated) as early:
        sqlite_pki.authenticator.authenticate(issued.der)
    sqlite_pki.clock.advance(seconds=70)
    with pytest.raises(Unauthenticated) as late:
        sqlite_pki.authenticator.authenticate(issued.der)
    assert (early.value.word, late.value.word) == ("not-yet-valid", "expired")


def test_suspended_person_is_nobody(pki: Pki) -> None:
    issued = pki.issue()
    with pki.database.write() as session:
        person = session.get_one(Person, "li-wen")
        person.suspended = True
        session.add(person)
    with pytest.raises(Unauthenticated) as caught:
        pki.authenticator.authenticate(issued.der)
    assert caught.value.word == "suspended"
