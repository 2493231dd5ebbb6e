"""CMP in process: what is taken, and every kind of message that is not (RFC 9483, 3.5), with its word."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from core.identity import Serial
from core.jobs import run_due
from core.registry import credential
from pki import issuer
from pki.cmp import jobs
from pki.cmp.answer import IMPLICIT_CONFIRM, information
from pki.cmp.failure import Failure
from pki.cmp.message import Kind, Message
from pki.issuer import CMP, ISSUING
from pki.validation import element
from tests.pki.device import messages
from tests.pki.device.conftest import HOST, OTHER, Machines
from tests.pki.device.messages import Client, refusal, response

PATH = "/.well-known/cmp/p/issuing"
MEDIA = {"Content-Type": "application/pkixcmp"}


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def send(site: Machines, content: bytes, path: str = PATH) -> bytes:
    answer = site.web.post(path, content=content, headers=MEDIA)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA["Content-Type"]), answer.text
    return answer.content


def ask(site: Machines, client: Client, kind: int, body: bytes) -> Message:
    return client.read(send(site, client.message(kind, body)))


def with_secret(site: Machines, **more: object) -> Client:
    return Client(secret=site.secret(hosts=(HOST, OTHER)), **more)  # type: ignore[arg-type]  # the tests name real fields


def with_certificate(site: Machines, **more: object) -> Client:
    own, certificate = site.certificate(**more)  # type: ignore[arg-type]
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    return Client(key=own, certificate=certificate)


def state(site: Machines, certificate: bytes) -> str:
    serial = x509.load_der_x509_certificate(certificate).serial_number
    with site.pki.database.read() as session:
        return credential.get(session, Serial(f"{serial:040x}")).state


@pytest.mark.parametrize("pbmac1", [False, True])
def test_a_secret_gives_one_certificate_that_is_confirmed(site: Machines, pbmac1: bool) -> None:
    client = with_secret(site, pbmac1=pbmac1, at=site.pki.clock.now(), version=3 if pbmac1 else 2)
    own = key()
    found = ask(site, client, Kind.IR, messages.certificate_request(own, hosts=(HOST,)))
    said, made = response(found)
    assert (found.kind, said.code, found.header.version) == (Kind.IP, 0, client.version)
    names = x509.load_der_x509_certificate(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert ask(site, client, Kind.CERTCONF, messages.confirmation(made)).kind == Kind.PKICONF
    assert state(site, made) == "good"
    # The secret is used: for no other request, and in no other transaction.
    said, none = response(ask(site, client.begin(), Kind.IR, messages.certificate_request(key())))
    assert (said.code, said.failure, none) == (2, Failure.BAD_MESSAGE_CHECK, b"")
    assert site.refusals()[-1] == "bad-initial-secret"


def test_answers_are_signed_by_a_certificate_for_that(site: Machines) -> None:
    client = with_certificate(site)
    found = ask(site, client, Kind.GENM, messages.question("1.3.6.1.5.5.7.4.17"))
    ours = x509.load_der_x509_certificate(found.certificates[0])
    with site.pki.database.read() as session:
        assert found.certificates == (issuer.get(session, CMP).der, issuer.get(session, ISSUING).der)
        ours.verify_directly_issued_by(x509.load_der_x509_certificate(issuer.get(session, ISSUING).der))
    assert isinstance(ours.public_key(), ec.EllipticCurvePublicKey)
    usage = ours.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    ours.public_key().verify(found.protection[1:], found.protected, messages.ec.ECDSA(messages.hashes.SHA256()))  # type: ignore[union-attr]


def test_implicit_confirmation_is_granted(site: Machines) -> None:
    client = with_certificate(site)
    client.info = information(IMPLICIT_CONFIRM, b"\x05\x00")
    found = ask(site, client, Kind.CR, messages.certificate_request(key()))
    assert IMPLICIT_CONFIRM in dict(found.header.info)
    said, made = response(found)
    assert (said.code, state(site, made)) == (0, "good")
    again = ask(site, client, Kind.CERTCONF, messages.confirmation(made))
    assert refusal(again).failure == Failure.CERT_CONFIRMED


def test_what_nobody_confirms_is_revoked(site: Machines) -> None:
    client = with_certificate(site)
    made = response(ask(site, client, Kind.CR, messages.certificate_request(key())))[1]
    assert state(site, made) == "good"
    database, clock = site.pki.database, site.pki.clock
    clock.advance(minutes=6)
    late = ask(site, client, Kind.CERTCONF, messages.confirmation(made))
    assert refusal(late).failure == Failure.BAD_REQUEST
    assert run_due(database, jobs.jobs(database), clock, "one") == []
    assert state(site, made) == "revoked"
    assert site.records("pki.cmp.concluded")[-1]["details"]["state"] == "unconfirmed"
    assert state(site, client.certificate) == "good"


@pytest.mark.parametrize("wrong", ["hash", "request"])
def test_a_confirmation_of_something_else_confirms_nothing(site: Machines, wrong: str) -> None:
    client = with_certificate(site)
    made = response(ask(site, client, Kind.CR, messages.certificate_request(key())))[1]
    body = messages.confirmation(made, hashed=bytes(32)) if wrong == "hash" else messages.confirmation(made, 1)
    assert refusal(ask(site, client, Kind.CERTCONF, body)).failure == Failure.BAD_CERT_ID


def test_a_machine_takes_back_what_it_asked_for(site: Machines) -> None:
    client = with_certificate(site)
    made = response(ask(site, client, Kind.CR, messages.certificate_request(key())))[1]
    assert ask(site, client, Kind.CERTCONF, messages.confirmation(made, rejected=True)).kind == Kind.PKICONF
    assert state(site, made) == "revoked"
    made = response(ask(site, client.begin(), Kind.CR, messages.certificate_request(key())))[1]
    gone = bytes.fromhex("30053003020102")
    assert ask(site, client, Kind.ERROR, gone).kind == Kind.PKICONF
    assert state(site, made) == "revoked"


def test_a_message_that_comes_twice_is_refused(site: Machines) -> None:
    client = with_certificate(site)
    content = client.message(Kind.CR, messages.certificate_request(key()))
    assert response(client.read(send(site, content)))[0].code == 0
    before = len(site.records("pki.certificate.issued"))
    assert refusal(messages.message.parse(send(site, content))).failure == Failure.TRANSACTION_ID_IN_USE
    assert len(site.records("pki.certificate.issued")) == before


def test_an_update_is_of_the_certificate_that_signs(site: Machines) -> None:
    client = with_certificate(site)
    old = x509.load_der_x509_certificate(client.certificate)
    named = (old.issuer.public_bytes(), old.serial_number)
    asked = messages.certificate_request(key(), subject=old.subject.public_bytes(), hosts=(HOST,), old=named)
    said, made = response(ask(site, client, Kind.KUR, asked))
    assert said.code == 0
    assert x509.load_der_x509_certificate(made).subject == old.subject
    for wrong, failure in (
        ((named[0], named[1] + 1), Failure.BAD_CERT_ID),
        ((messages.name("another"), named[1]), Failure.WRONG_AUTHORITY),
    ):
        asked = messages.certificate_request(key(), old=wrong)
        assert response(ask(site, client.begin(), Kind.KUR, asked))[0].failure == failure
    by_secret = with_secret(site)
    assert refusal(ask(site, by_secret, Kind.KUR, asked)).failure == Failure.WRONG_INTEGRITY


def test_a_machine_revokes_its_own_and_nobody_elses(site: Machines) -> None:
    client = with_certificate(site)
    own, other = x509.load_der_x509_certificate(client.certificate), site.certificate("gw-1", "gateway", ())[1]
    name = own.issuer.public_bytes()
    foreign = x509.load_der_x509_certificate(other).serial_number

    def rr(serial: int, **more: object) -> messages.Said:
        body = messages.revocation(more.pop("issuer", name), serial, **more)  # type: ignore[arg-type]
        found = ask(site, client.begin(), Kind.RR, body)
        assert found.kind == Kind.RP
        return messages.status(
            element.split(element.split(element.only(found.body, 0x30).content)[0].content)[0].content
        )

    assert rr(foreign).failure == rr(2**158).failure == Failure.NOT_AUTHORIZED
    assert rr(own.serial_number, issuer=messages.name("another")).failure == Failure.WRONG_AUTHORITY
    assert rr(own.serial_number, reason=6).failure == Failure.BAD_REQUEST
    assert (state(site, client.certificate), state(site, other)) == ("good", "good")
    assert rr(own.serial_number).code == 0
    assert state(site, client.certificate) == "revoked"
    # From then on it proves nothing.
    again = ask(site, client.begin(), Kind.GENM, messages.question("1.3.6.1.5.5.7.4.17"))
    assert refusal(again).failure == Failure.CERT_REVOKED
    by_secret = ask(site, with_secret(site), Kind.RR, messages.revocation(name, foreign))
    assert refusal(by_secret).failure == Failure.WRONG_INTEGRITY


def test_headers_that_are_not_taken(site: Machines) -> None:
    for change, failure in (
        ({"version": 1}, Failure.UNSUPPORTED_VERSION),
        ({"version": 9}, Failure.UNSUPPORTED_VERSION),
        ({"transaction": bytes(15)}, Failure.BAD_DATA_FORMAT),
        ({"nonce": bytes(8)}, Failure.BAD_SENDER_NONCE),
        ({"at": site.pki.clock.now() - timedelta(minutes=11)}, Failure.BAD_TIME),
        ({"at": site.pki.clock.now() + timedelta(minutes=11)}, Failure.BAD_TIME),
        ({"secret": ("", "")}, Failure.BAD_MESSAGE_CHECK),
        ({"secret": ("0" * 16, "guessed")}, Failure.BAD_MESSAGE_CHECK),
        ({"iterations": 100_001}, Failure.BAD_ALG),
        ({"iterations": 0}, Failure.BAD_ALG),
    ):
        client = with_secret(site)
        for name, value in change.items():
            setattr(client, name, value)
        found = ask(site, client, Kind.GENM, messages.question("1.3.6.1.5.5.7.4.17"))
        assert refusal(found).failure == failure, change
        # What cannot be protected by the secret is signed: an attacker makes no refusals.
        assert found.protection


def test_protections_that_do_not_hold(site: Machines) -> None:
    client, stranger = with_certificate(site), key()
    body = messages.question("1.3.6.1.5.5.7.4.17")
    # Signed with another key; a body that was changed; a certificate of somebody else.
    forged = Client(key=stranger, certificate=client.certificate)
    assert refusal(ask(site, forged, Kind.GENM, body)).failure == Failure.BAD_MESSAGE_CHECK
    whole = client.begin().message(Kind.GENM, body)
    changed = whole.replace(bytes.fromhex("2b06010505070411"), bytes.fromhex("2b06010505070413"))
    assert changed != whole
    assert refusal(client.read(send(site, changed))).failure == Failure.BAD_MESSAGE_CHECK
    other = with_certificate(site, holder="gw-1", kind="gateway", hosts=())
    mixed = client.begin().message(Kind.GENM, body).replace(client.certificate, other.certificate)
    answer = site.web.post(PATH, content=mixed, headers=MEDIA)
    assert answer.status_code == 400 or refusal(messages.message.parse(answer.content)).failure in (
        Failure.BAD_MESSAGE_CHECK,
        Failure.BAD_DATA_FORMAT,
    )
    # A certificate that nobody of ours issued.
    foreign = Client(key=stranger, certificate=self_signed(stranger))
    assert refusal(ask(site, foreign, Kind.GENM, body)).failure == Failure.SIGNER_NOT_TRUSTED
    # A person's: people go to the desk.
    human = key()
    person = Client(key=human, certificate=site.pki.issue(key=human).der)
    assert refusal(ask(site, person, Kind.GENM, body)).failure == Failure.NOT_AUTHORIZED


def test_followups_answer_what_was_sent_last_by_whoever_began(site: Machines) -> None:
    client = with_certificate(site)
    made = response(ask(site, client, Kind.CR, messages.certificate_request(key())))[1]
    body, right = messages.confirmation(made), client.answers
    client.answers = secrets.token_bytes(16)
    found = messages.message.parse(send(site, client.message(Kind.CERTCONF, body)))
    assert refusal(found).failure == Failure.BAD_RECIPIENT_NONCE
    other = with_certificate(site)
    other.transaction, other.answers = client.transaction, right
    assert refusal(ask(site, other, Kind.CERTCONF, body)).failure == Failure.BAD_REQUEST
    client.answers = right
    assert ask(site, client, Kind.CERTCONF, body).kind == Kind.PKICONF
    assert refusal(ask(site, client.begin(), Kind.POLLREQ, messages.poll())).failure == Failure.BAD_REQUEST


def test_bodies_that_are_not_taken(site: Machines) -> None:
    client = with_certificate(site)
    one = messages.certificate_request(key())
    double = messages.der.encode(0x30, element.only(one, 0x30).content * 2)
    unproved = messages.certificate_request(key(), proof=b"")
    verified = messages.certificate_request(key(), proof=bytes.fromhex("8000"))
    by_another = messages.certificate_request(
        key(),
        proof=element.split(element.split(element.only(messages.certificate_request(key()), 0x30).content)[0].content)[
            1
        ].whole,
    )
    for kind, body, failure in (
        (Kind.CR, double, Failure.BAD_REQUEST),
        (Kind.CR, b"\x30\x00", Failure.BAD_REQUEST),
        (Kind.CR, b"\x30\x03\x02\x01\x00", Failure.BAD_DATA_FORMAT),
        (Kind.CR, b"\x05\x00", Failure.BAD_DATA_FORMAT),
        (Kind.CR, unproved, Failure.BAD_POP),
        (Kind.CR, verified, Failure.BAD_POP),
        (Kind.CR, by_another, Failure.BAD_POP),
        (Kind.P10CR, b"\x30\x00", Failure.BAD_DATA_FORMAT),
        (Kind.RR, b"\x30\x02\x30\x00", Failure.BAD_DATA_FORMAT),
        (Kind.GENM, messages.question("1.2.3.4"), Failure.BAD_REQUEST),
        (Kind.GENM, b"\x30\x00", Failure.BAD_REQUEST),
        (Kind.NESTED, b"\x30\x00", Failure.BAD_REQUEST),
        (Kind.IP, b"\x30\x00", Failure.BAD_REQUEST),
        (Kind.CERTCONF, b"\x30\x00", Failure.BAD_REQUEST),
    ):
        found = ask(site, client.begin(), kind, body)
        said = refusal(found) if found.kind == Kind.ERROR else response(found)[0]
        assert said.failure == failure, (kind, body[:20], said)


def test_what_is_told(site: Machines) -> None:
    site.pki.publisher.refresh()
    client = with_certificate(site)
    with site.pki.database.read() as session:
        root, issuing = issuer.get(session, "root").der, issuer.get(session, ISSUING)
    name = x509.load_der_x509_certificate(issuing.der).subject.public_bytes()
    der = messages.der

    def told(kind: str, value: bytes = b"") -> bytes:
        found = ask(site, client.begin(), Kind.GENM, messages.question(kind, value=value))
        assert found.kind == Kind.GENP, refusal(found)
        return messages.message.values(element.only(found.body, 0x30).content, 4)[0][1]

    assert told("1.3.6.1.5.5.7.4.17") == der.encode(0x30, issuing.der)
    assert told("1.3.6.1.5.5.7.4.20", root) == told("1.3.6.1.5.5.7.4.20") == b""
    template = told("1.3.6.1.5.5.7.4.19")
    assert b"fin-budget-app" in template
    assert HOST.encode() in template
    by_name = der.encode(0xA1, der.encode(0x30, der.encode(0xA4, name)))
    listed = element.only(told("1.3.6.1.5.5.7.4.22", der.encode(0x30, der.encode(0x30, by_name))), 0x30).content
    assert x509.load_der_x509_crl(listed).issuer.public_bytes() == name
    since = der.generalized(site.pki.clock.now() + timedelta(days=1))
    assert told("1.3.6.1.5.5.7.4.22", der.encode(0x30, der.encode(0x30, by_name, since))) == b""
    address = der.encode(0xA0, der.encode(0xA0, der.encode(0x86, b"http://localhost:8480/crl/issuing/128/5.crl")))
    assert told("1.3.6.1.5.5.7.4.22", der.encode(0x30, der.encode(0x30, address)))
    foreign = der.encode(0xA1, der.encode(0x30, der.encode(0xA4, messages.name("another"))))
    found = ask(
        site,
        client.begin(),
        Kind.GENM,
        messages.question("1.3.6.1.5.5.7.4.22", value=der.encode(0x30, der.encode(0x30, foreign))),
    )
    assert refusal(found).failure == Failure.WRONG_AUTHORITY


def test_http(site: Machines) -> None:
    client = with_certificate(site)
    content = client.message(Kind.GENM, messages.question("1.3.6.1.5.5.7.4.17"))
    for path in ("/.well-known/cmp", "/.well-known/cmp/getcacerts", f"{PATH}/getcacerts"):
        assert site.web.post(path, content=content, headers=MEDIA).status_code == 200
    for path in ("/.well-known/cmp/p/root", f"{PATH}/conjure"):
        assert site.web.post(path, content=content, headers=MEDIA).status_code == 404
    assert site.web.post(PATH, content=content, headers={"Content-Type": "text/plain"}).status_code == 415
    for broken in (b"", b"\x30\x80" * 4000, content[:40], b"\x30\x84\x7f\xff\xff\xff" + content, bytes(200_000)):
        assert site.web.post(PATH, content=broken, headers=MEDIA).status_code == 400
    assert site.web.get(PATH).status_code == 405


def test_two_officers_are_waited_for_and_may_say_no(site: Machines) -> None:
    client = Client(secret=site.secret("office-docs", hosts=()))
    asked = messages.certificate_request(key(), subject=messages.name("office-docs-app"))
    assert response(ask(site, client, Kind.IR, asked))[0].code == 3
    waiting = ask(site, client, Kind.POLLREQ, messages.poll())
    assert waiting.kind == Kind.POLLREP
    assert site.decide("zhao-ra") == "checked"
    assert ask(site, client, Kind.POLLREQ, messages.poll()).kind == Kind.POLLREP
    assert site.decide("sun-yue", approve=False, comment="not this one") == "rejected"
    said, none = response(ask(site, client, Kind.POLLREQ, messages.poll()))
    assert (said.code, none, "not this one" in said.text) == (2, b"", True)


def self_signed(own: ec.EllipticCurvePrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stranger")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(own.public_key())
    builder = builder.serial_number(7).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    identifier = x509.SubjectKeyIdentifier.from_public_key(own.public_key())
    made = builder.add_extension(identifier, critical=False).sign(own, messages.hashes.SHA256())
    return made.public_bytes(messages.Encoding.DER)
