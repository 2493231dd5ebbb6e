"""The gateway's question on both stores: each refusal its reason and its record, nothing for a stranger to misuse."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import event
from sqlmodel import Session, select

from authz.errors import BadQuestion, NotRecorded
from authz.gateway import Gateway, GatewayAnswer, GatewayQuestion
from authz.models import GatewayRequest
from core.errors import Unavailable
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.ledger import body
from core.registry.models import DomainMembership, Person
from pki import revocation
from tests.authz import failing
from tests.authz.house import BUDGET, DOCUMENTS, House, escaped
from tests.authz.test_decision import refuse_evidence

GATEWAY = Principal(
    kind=SubjectKind.GATEWAY,
    identifier="gw-1",
    name="gw-1",
    organisation=OrganisationId("bc-xxb"),
    domain=DomainId("management"),
    issuer="issuing",
    serial=Serial("2" * 40),
)

REFUSED, MADE = "gateway.request.refused", "authz.decision.made"


def question(number: int = 1, **more: object) -> GatewayQuestion:
    basic = GatewayQuestion(
        request_id=f"{number:032x}",
        host=BUDGET,
        method="GET",
        target="/budget/report",
        certificate="",
        address="10.30.0.2",
    )
    return replace(basic, **more)  # type: ignore[arg-type]  # the tests name real fields


@pytest.fixture
def certificate(house: House) -> str:
    return escaped(house.pki.issue("li-wen"))


def decide(house: House, asked: GatewayQuestion) -> GatewayAnswer:
    return house.gateway.decide(asked, gateway=GATEWAY)


def rows(house: House) -> list[GatewayRequest]:
    with house.database.read() as session:
        return list(session.exec(select(GatewayRequest).order_by(GatewayRequest.request_id)))


def refusal(house: House) -> dict[str, object]:
    return dict(json.loads(house.records(REFUSED)[-1].content))


def impostor(issuer: str, serial: int = 0x1234) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(issuer)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.USER_ID, "li-wen")]))
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    return quote(made.public_bytes(serialization.Encoding.PEM).decode(), safe="")


def test_a_request_passes_with_its_identity_and_one_record(house: House, certificate: str) -> None:
    answer = decide(house, question(certificate=certificate))
    assert (answer.status, answer.reason) == (200, "permitted")
    assert answer.identity is not None
    assert (answer.identity.principal.identifier, answer.identity.department) == ("li-wen", "财政厅")
    assert answer.identity.clearance == 3
    (row,) = rows(house)
    assert (row.allowed, row.person, row.reason, row.gateway) == (True, "li-wen", "permitted", "gw-1")
    assert (row.application, row.system, row.domain) == ("fin-budget", "fin-budget", "outer-finance")
    assert (row.action, row.resource, row.address) == ("budget:read", "document/budget", "10.30.0.2")
    assert row.serial == answer.identity.principal.serial
    (record,) = house.records(MADE)
    content = json.loads(record.content)
    assert (content["details"]["asked_by"], content["details"]["request_id"]) == ("device:gw-1", row.request_id)
    assert house.records(REFUSED) == []


def test_every_reason_before_authentication(house: House, certificate: str) -> None:
    alike = house.pki.issue("sun-yue")
    issuer = x509.load_der_x509_certificate(alike.der).issuer.rfc4514_string()
    expired = escaped(house.pki.issue("sun-yue", lifetime_seconds=1))
    revoked = house.pki.issue("sun-yue")
    with house.database.write() as session:
        at = house.clock.now()
        revocation.revoke(session, revoked.serial, reason="key-compromise", actor="lu-security", at=at)
    house.clock.advance(seconds=5)
    cases = {
        "no-certificate": ("", ""),
        "foreign-issuer": (impostor("CN=Elsewhere CA"), f"{0x1234:040x}"),
        "look-alike-issuer": (impostor(issuer), f"{0x1234:040x}"),
        "expired": (expired, None),
        "revoked": (escaped(revoked), revoked.serial),
    }
    for number, (reason, (shown, serial)) in enumerate(cases.items()):
        answer = decide(house, question(number, certificate=shown, target="/no/such/place"))
        assert (answer.status, answer.reason, answer.identity, answer.ask) == (401, reason, None, ""), reason
        row = rows(house)[number]
        assert (row.allowed, row.reason, row.person, row.action) == (False, reason, "", "")
        assert serial is None or row.serial == serial
        record = refusal(house)
        assert (record["actor"], record["result"]) == ("anonymous", "refused")
        assert len(house.records(REFUSED)) == number + 1
    assert house.records(MADE) == []


def test_whoever_left_is_refused_and_that_is_recorded(house: House, certificate: str) -> None:
    with house.database.write() as session:
        row = session.get_one(Person, "li-wen")
        row.left_at = house.clock.now()
        session.add(row)
    answer = decide(house, question(1, certificate=certificate))
    assert (answer.status, answer.reason, answer.identity) == (401, "holder-left", None)
    assert refusal(house)["details"]["reason"] == "holder-left"


def test_suspended_people_and_what_tls_refused(house: House, certificate: str) -> None:
    answer = decide(house, question(certificate=certificate, handshake_refused=True))
    assert (answer.status, answer.reason, answer.identity) == (401, "bad-certificate", None)
    with house.database.write() as session:
        row = session.get_one(Person, "li-wen")
        row.suspended = True
        session.add(row)
    answer = decide(house, question(2, certificate=certificate))
    assert (answer.status, answer.reason) == (401, "suspended")
    assert [row.person for row in rows(house)] == ["", ""]


UNMAPPED: tuple[tuple[dict[str, str], str], ...] = (
    ({"target": "/budget/secret-door"}, "unmapped-path"),
    ({"method": "DELETE"}, "unmapped-path"),
    ({"method": "get"}, "unmapped-path"),
    ({"method": "GET\r\nX: y"}, "unmapped-path"),
    ({"host": "nowhere.example"}, "unknown-host"),
    ({"host": ""}, "unknown-host"),
    ({"target": "/budget/../budget/report"}, "malformed-path"),
    ({"target": "/budget/%72eport"}, "malformed-path"),
    ({"target": "http://x/budget/report"}, "malformed-path"),
    ({"target": ""}, "malformed-path"),
    ({"target": "*"}, "malformed-path"),
    ({"target": f"/{'a' * 9000}"}, "malformed-path"),
    ({"target": "/budget/report?\x00"}, "malformed-path"),
    ({"target": "/budget/Report"}, "unmapped-path"),
    ({"target": "/budget/report/"}, "unmapped-path"),
    ({"method": "PUT"}, "no-permit"),
    ({"host": DOCUMENTS, "target": "/docs/marked", "method": "PUT"}, "no-permit"),
)


def test_who_is_known_but_may_not_is_told_whom_to_ask(house: House, certificate: str) -> None:
    for number, (more, reason) in enumerate(UNMAPPED):
        made = len(house.records(MADE))
        answer = decide(house, question(number, certificate=certificate, **more))
        assert (answer.status, answer.reason, answer.identity) == (403, reason, None), more
        row = rows(house)[number]
        assert (row.allowed, row.person, row.reason) == (False, "li-wen", reason)
        assert ("ask" in answer.ask) is (reason != "unknown-host")
        assert refusal(house)["actor"] == "li-wen"
        assert len(house.records(REFUSED)) == number + 1
        assert len(house.records(REFUSED)[-1].content) < 2500
        assert len(house.records(MADE)) - made == (1 if reason == "no-permit" else 0)


def test_a_forbidden_request_has_both_records(house: House, certificate: str) -> None:
    with house.database.write() as session:
        membership = session.get_one(DomainMembership, ("li-wen", "outer-finance"))
        session.delete(membership)
    answer = decide(house, question(certificate=certificate))
    assert (answer.status, answer.reason) == (403, "forbidden")
    assert "非本域成员不得访问" in answer.explanation
    assert len(house.records(MADE)) == len(house.records(REFUSED)) == 1


def test_revoked_between_the_look_and_the_decision(house: House) -> None:
    issued = house.pki.issue("li-wen")
    real, done = house.pki.authenticator, []

    class Slow:
        """The real authenticator, after whose answer the certificate is revoked."""

        def authenticate(self, der: bytes) -> Principal:
            principal = real.authenticate(der)
            with house.database.write() as session:
                at = house.clock.now()
                revocation.revoke(session, issued.serial, reason="key-compromise", actor="lu-security", at=at)
            done.append(principal)
            return principal

    gateway = Gateway(clock=house.clock, authenticator=Slow(), decisions=house.decisions)
    answer = gateway.decide(question(certificate=escaped(issued)), gateway=GATEWAY)
    assert done
    assert (answer.status, answer.reason, answer.identity) == (401, "revoked", None)
    assert [(row.allowed, row.reason) for row in rows(house)] == [(False, "revoked")]


def test_a_public_path_needs_nobody_and_leaves_nothing(house: House) -> None:
    for target in ("/healthz", "/healthz?x=1"):
        answer = decide(house, question(target=target))
        assert (answer.status, answer.reason, answer.identity) == (200, "public", None)
    for more in ({"target": "/healthz/"}, {"target": "/healthz", "method": "POST"}, {"target": "/%68ealthz"}):
        answer = decide(house, question(len(rows(house)) + 10, **more))
        assert (answer.status, answer.reason) == (401, "no-certificate")
    assert len(rows(house)) == 3


def test_an_id_of_another_form_is_refused(house: House, certificate: str) -> None:
    for identifier in ("", "A" * 32, "0" * 31, "0" * 33, "g" * 32, "0" * 31 + "\n", "0" * 32 + "\n", "'; DROP"):
        with pytest.raises(BadQuestion):
            decide(house, question(certificate=certificate, request_id=identifier))
    assert rows(house) == []


def test_a_repeated_id_is_refused_recorded_and_changes_nothing(house: House, certificate: str) -> None:
    assert decide(house, question(certificate=certificate)).status == 200
    again = decide(house, question(certificate=certificate, target="/budget/marked"))
    assert (again.status, again.reason, again.identity) == (403, "repeated-request", None)
    (row,) = rows(house)
    assert (row.allowed, row.reason) == (True, "permitted")
    assert refusal(house)["details"]["reason"] == "repeated-request"  # type: ignore[index]  # a mapping
    assert len(house.records(MADE)) == 1


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
def test_a_repeat_that_races_is_refused_too(house: House, certificate: str) -> None:
    """Another request with the same id is recorded between our look and our insert; SQLite has one writer at a time."""
    done = []

    def overtake(session: Session, _context: object, _instances: object) -> None:
        new = [one for one in session.new if isinstance(one, GatewayRequest)]
        if new and not done:
            done.append(True)
            twin = GatewayRequest(request_id=new[0].request_id, at=new[0].at, gateway="gw-2", allowed=True, reason="x")
            with house.database.write() as other:
                other.add(twin)

    event.listen(Session, "before_flush", overtake)
    try:
        answer = decide(house, question(certificate=certificate))
    finally:
        event.remove(Session, "before_flush", overtake)
    assert (answer.status, answer.reason) == (403, "repeated-request")
    assert [row.gateway for row in rows(house)] == ["gw-2"]
    assert len(house.records(REFUSED)) == 1
    assert house.records(MADE) == []


def test_many_at_once_each_have_their_answer_and_one_id_has_one(house: House, certificate: str) -> None:
    asked = [question(number, certificate=certificate) for number in range(40)]
    asked += [question(99, certificate=certificate)] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: decide(house, one).reason, asked))
    assert answers[:40] == ["permitted"] * 40
    assert sorted(answers[40:]) == ["permitted", *["repeated-request"] * 7]
    assert len(rows(house)) == len(house.records(MADE)) == 41
    assert len(house.records(REFUSED)) == 7


HOSTILE = (
    "x",
    "%",
    "%FF%FE",
    "\x00",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----%0A-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----%0AAAAA%0A-----END CERTIFICATE-----%0A",
    "-----BEGIN CERTIFICATE-----%0A!!!!%0A-----END CERTIFICATE-----%0A",
    quote("-----BEGIN CERTIFICATE-----\n" + "MIIB" * 20_000 + "\n-----END CERTIFICATE-----\n"),
    "A" * 2_000_000,
    quote("证书"),
    "证书",
)


def test_hostile_certificates_are_refused_and_the_record_stays_small(house: House) -> None:
    for number, shown in enumerate(HOSTILE):
        answer = decide(house, question(number, certificate=shown))
        assert (answer.status, answer.reason) == (401, "bad-certificate"), shown[:80]
        row = rows(house)[number]
        assert (row.serial, row.person) == ("", "")
        assert len(house.records(REFUSED)[-1].content) < 1000


def test_hostile_text_is_cut_and_cleaned_in_the_record(house: House, certificate: str) -> None:
    hostile = question(
        certificate=certificate,
        host="\ud800\x00" + "h" * 10_000,
        method="M" * 10_000,
        target="/\x1b[31m\n\ud800" + "t" * 100_000 + "?secret=身份证",
        address="not-an-address\n",
    )
    assert decide(house, hostile).status == 403
    (record,) = house.records(REFUSED)
    assert len(record.content) < 2000
    assert b"\\u001b" not in record.content
    assert "身份证".encode() not in record.content
    # What a stranger wrote lies beside the record, erasable, and as short and clean.
    assert b"hhh" not in record.content
    with house.database.read() as session:
        written = body.read(session, record.identifier)
    assert set(written) == {"host", "method", "path"}
    assert "ttt" in str(written["path"])
    assert len(str(written)) < 500
    assert "身份证" not in str(written)
    (row,) = rows(house)
    assert row.address == ""


def test_a_serial_that_is_not_ours_is_not_claimed(house: House) -> None:
    answer = decide(house, question(certificate=impostor("CN=Elsewhere CA", serial=(1 << 159) - 1)))
    assert answer.reason == "foreign-issuer"
    assert rows(house)[0].serial == f"{(1 << 159) - 1:040x}"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("way", failing.WAYS)
def test_what_cannot_be_committed_is_not_answered(house: House, certificate: str, way: str, known: bool) -> None:
    asked = question(certificate=certificate if known else "")
    with failing.commits(way), pytest.raises(Unavailable):
        decide(house, asked)
    applied = way == "failed but applied"
    assert len(rows(house)) == len(house.records(MADE if known else REFUSED)) == (1 if applied else 0)
    # nginx never asks twice under one id; should it, the answer that nobody got is not given now.
    again = decide(house, asked)
    assert again.reason == ("repeated-request" if applied else "permitted" if known else "no-certificate")


def test_a_record_that_the_store_refuses_is_not_answered(house: House, certificate: str) -> None:
    refuse_evidence(house)
    for number, shown in enumerate((certificate, "")):
        with pytest.raises(NotRecorded):
            decide(house, question(number, certificate=shown))
    assert rows(house) == []
