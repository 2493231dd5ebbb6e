"""EST in process: what is taken and what is not, with its status and its words; secrets and who has them."""

import base64
import email
import json
import secrets
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from httpx2 import Response

from core.errors import TrustError
from core.registry.models import Device, SecurityDomain
from pki.device import secret
from pki.device.holding import InitialSecrets
from pki.device.secret import Agreed
from tests.pki.conftest import csr
from tests.pki.device.conftest import HOST, INSTALLATION, OTHER, Machines

PATH = "/.well-known/est"
PKCS10 = {"Content-Type": "application/pkcs10"}


def body(*hosts: str, named: str = "fin-budget-app") -> bytes:
    loaded = x509.load_pem_x509_csr(csr(ec.generate_private_key(ec.SECP256R1()), named, dns=hosts))
    return base64.encodebytes(loaded.public_bytes(Encoding.DER))


def enrol(site: Machines, content: bytes, *, operation: str = "simpleenroll", **more: object) -> Response:
    return site.web.post(f"{PATH}/{operation}", content=content, headers=PKCS10, **more)  # type: ignore[arg-type]


def certificates(answer: Response) -> list[x509.Certificate]:
    assert answer.status_code == 200, answer.text
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.text))


def refused(answer: Response, status: int, word: str) -> None:
    assert (answer.status_code, answer.text.partition(":")[0]) == (status, word), answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_authorities_are_for_everybody(site: Machines) -> None:
    found = certificates(site.web.get(f"{PATH}/cacerts"))
    assert [one.issuer == one.subject for one in found].count(True) == 1
    assert len(found) == 2
    assert site.web.get(f"{PATH}/issuing/cacerts").content == site.web.get(f"{PATH}/cacerts").content
    refused(site.web.get(f"{PATH}/other/cacerts"), 404, "no-authority")


def test_a_machine_enrols_and_renews(site: Machines) -> None:
    (first,) = certificates(enrol(site, body(HOST), auth=site.secret()))
    site.showing.shown = first.public_bytes(Encoding.DER)
    (second,) = certificates(enrol(site, body(HOST), operation="simplereenroll"))
    assert (first.subject, first.serial_number != second.serial_number) == (second.subject, True)
    # Other names than before are no renewal; a subset of them is a certificate of its own.
    refused(enrol(site, body(), operation="simplereenroll"), 422, "foreign-name")
    (third,) = certificates(enrol(site, body()))
    assert third.issuer == first.issuer


def test_attributes_say_which_keys_are_taken(site: Machines) -> None:
    answer = site.web.get(f"{PATH}/csrattrs", auth=site.secret())
    assert answer.headers["content-type"] == "application/csrattrs"
    assert bytes.fromhex("06082a8648ce3d030107") in base64.b64decode(answer.text)
    refused(site.web.get(f"{PATH}/csrattrs"), 401, "no-proof-of-identity")


def test_bodies_that_are_not_taken(site: Machines) -> None:
    known = site.secret()
    refused(site.web.post(f"{PATH}/simpleenroll", content=body(HOST), auth=known), 415, "wrong-media-type")
    for content in (b"", b"\x30\x00", "演练样本".encode(), b"=" * 8, base64.b64encode(b"nothing")):
        refused(enrol(site, content, auth=known), 400, "malformed-body")
    refused(enrol(site, base64.b64encode(b"\x30\x00"), auth=known), 400, "malformed-request")
    refused(enrol(site, b"A" * 100_000, auth=known), 400, "request-too-large")
    assert site.state(known[0]) == "open"


def test_proofs_that_are_not_taken(site: Machines) -> None:
    identifier, value = site.secret()
    for auth in ((identifier, "guessed"), ("0" * 16, value), ("", ""), (identifier, "演练")):
        answer = enrol(site, body(HOST), auth=tuple(one.encode() for one in auth))
        refused(answer, 401, "bad-initial-secret")
        assert answer.headers["www-authenticate"].startswith("Basic")
    for header in ("Basic ???", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer x"):
        answer = site.web.post(f"{PATH}/simpleenroll", content=b"", headers={**PKCS10, "Authorization": header})
        refused(answer, 401, "no-proof-of-identity")
    refused(enrol(site, body(HOST), operation="simplereenroll", auth=(identifier, value)), 401, "no-proof-of-identity")
    site.showing.shown = site.pki.issue().der
    refused(enrol(site, body(HOST)), 403, "not-a-machine")
    site.showing.shown = b"\x30\x00"
    refused(enrol(site, body(HOST)), 401, "bad-certificate")


def test_a_secret_ends(site: Machines) -> None:
    over, withdrawn = site.secret(), site.secret()
    with site.pki.database.write() as session:
        secret.withdraw(session, withdrawn[0], actor="lu-security", at=site.pki.clock.now())
    refused(enrol(site, body(HOST), auth=withdrawn), 401, "bad-initial-secret")
    with site.pki.database.write() as session, pytest.raises(TrustError, match="is withdrawn"):
        secret.withdraw(session, withdrawn[0], actor="lu-security", at=site.pki.clock.now())
    with site.pki.database.write() as session:
        row = session.get_one(secret.DeviceSecret, over[0])
        row.ends_at = site.pki.clock.now()
        session.add(row)
    # Another end also makes another secret of it.
    refused(enrol(site, body(HOST), auth=over), 401, "bad-initial-secret")
    with site.pki.database.read() as session:
        listed = secret.listed(session, "fin-budget-app")
        assert {row.state for row in listed} >= {"withdrawn", "open"}
        held = InitialSecrets().holdings(session, "device", "fin-budget-app", site.pki.clock.now())
        assert over[0] not in {one.identifier for one in held}
        assert withdrawn[0] not in {one.identifier for one in held}


def test_whoever_changes_a_row_has_another_secret(site: Machines) -> None:
    identifier, value = site.secret()
    with site.pki.database.write() as session:
        row = session.get_one(secret.DeviceSecret, identifier)
        row.hosts = json.dumps([HOST, OTHER])
        session.add(row)
        assert secret.value_of(row, INSTALLATION) != value
    refused(enrol(site, body(OTHER), auth=(identifier, value)), 401, "bad-initial-secret")


def test_a_secret_is_for_machines_and_names_of_the_register(site: Machines) -> None:
    def make(name: str, *hosts: str, addresses: tuple[str, ...] = ()) -> None:
        with site.pki.database.write() as session:
            secret.make(
                session,
                secret.find_holder(session, name),
                Agreed(hosts, addresses, timedelta(hours=1)),
                actor="zhao-ra",
                at=site.pki.clock.now(),
                random=secrets.token_bytes,
            )

    for name, hosts, addresses, word in (
        ("nobody", (), (), "not-in-register"),
        ("li-wen", (), (), "not-in-register"),
        ("fin-budget", ("docs.office.beichen.example",), (), "foreign-name"),
        ("fin-budget", ("*.fin.beichen.example",), (), "wildcard-name"),
        ("fin-budget", (), ("10.10.0.1",), "foreign-name"),
        ("gw-1", ("gw.fin.beichen.example",), (), "wrong-profile"),
    ):
        with pytest.raises(TrustError) as refusal:
            make(name, *hosts, addresses=addresses)
        assert refusal.value.word == word, name
    make("gw-1")
    make("fin-budget", HOST, addresses=("127.20.0.9",))


def test_whoever_left_or_whose_domain_is_suspended_gets_nothing(site: Machines) -> None:
    known = site.secret()
    with site.pki.database.write() as session:
        home = session.get_one(SecurityDomain, "outer-finance")
        home.suspended = True
        session.add(home)
    refused(enrol(site, body(HOST), auth=known), 401, "bad-initial-secret")
    with site.pki.database.write() as session:
        home = session.get_one(SecurityDomain, "outer-finance")
        home.suspended = False
        session.add(home)
        device = session.get_one(Device, "fin-budget-app")
        device.ended_at = site.pki.clock.now()
        session.add(device)
    refused(enrol(site, body(HOST), auth=known), 401, "bad-initial-secret")
    with site.pki.database.write() as session:
        device = session.get_one(Device, "fin-budget-app")
        device.ended_at = None
        session.add(device)
    assert enrol(site, body(HOST), auth=known).status_code == 200


def test_a_key_is_made_for_a_machine_that_cannot(site: Machines) -> None:
    answer = enrol(site, body(HOST), operation="serverkeygen", auth=site.secret())
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    first, second = email.message_from_bytes(head + answer.content).get_payload()
    assert (first.get_content_type(), second.get_content_type()) == ("application/pkcs8", "application/pkcs7-mime")
    key = serialization.load_der_private_key(first.get_payload(decode=True), None)
    (made,) = pkcs7.load_der_pkcs7_certificates(second.get_payload(decode=True))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == made.public_key()
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert site.records("pki.device.key-made")[-1]["details"]["serial"] == f"{made.serial_number:040x}"
    # What may stand in it is judged as everywhere; and nothing is made where it would have to be kept.
    known = site.secret()
    refused(enrol(site, body("*.fin.beichen.example"), operation="serverkeygen", auth=known), 422, "wildcard-name")
    assert site.state(known[0]) == "open"
    careful = site.secret("office-docs", hosts=())
    wanted = body(named="office-docs-app")
    refused(enrol(site, wanted, operation="serverkeygen", auth=careful), 422, "needs-second-officer")


def test_two_officers_are_waited_for(site: Machines) -> None:
    known, content = site.secret("office-docs", hosts=()), body(named="office-docs-app")
    waiting = enrol(site, content, auth=known)
    assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "60")
    assert enrol(site, content, auth=known).text == waiting.text
    for officer in ("zhao-ra", "sun-yue"):
        assert enrol(site, content, auth=known).status_code == 202
        site.decide(officer)
    (made,) = certificates(enrol(site, content, auth=known))
    assert made.subject.get_attributes_for_oid(x509.NameOID.USER_ID)[0].value == "office-docs-app"
    # One that is refused there is refused here, with what was said.
    other = body(named="office-docs-app")
    again = site.secret("office-docs", hosts=())
    assert enrol(site, other, auth=again).status_code == 202
    site.decide("zhao-ra", approve=False, comment="which machine is this")
    answer = enrol(site, other, auth=again)
    refused(answer, 409, "refused-at-the-desk")
    assert "which machine is this" in answer.text
