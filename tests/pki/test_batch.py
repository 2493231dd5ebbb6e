"""Many at once: each request has its own outcome, all share two transactions, and nothing is issued twice."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError
from sqlmodel import func, select

from core.database import Database
from core.errors import TrustError
from core.identity import SubjectKind
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from pki import issuance, issuance_api, issuer, profile, revocation, tbs
from pki.errors import NotPrepared
from pki.issuance import CertificateAuthority
from pki.models import IssuanceIntent
from pki.request import IssuanceRequest, IssuedCertificate
from tests.failing import FailingDatabase, Failure
from tests.pki import test_template as templates
from tests.pki.conftest import SETTINGS, Pki, csr

PEOPLE = ("li-wen", "sun-yue", "wu-ops", "zhao-ra", "han-office")


def ask(holder: str, key: ec.EllipticCurvePrivateKey | None = None) -> IssuanceRequest:
    made = csr(key or ec.generate_private_key(ec.SECP256R1()), holder)
    return IssuanceRequest(made, "person", SubjectKind.PERSON, holder)


def batch(pki: Pki, *requests: IssuanceRequest) -> list[IssuedCertificate | TrustError]:
    return pki.authority.issue_batch(requests, actor="zhao-ra")


def words(outcomes: list[IssuedCertificate | TrustError]) -> list[str]:
    return [one.word if isinstance(one, TrustError) else "issued" for one in outcomes]


def count(pki: Pki, type_: str) -> int:
    with pki.database.read() as session:
        return session.exec(select(func.count()).select_from(EvidenceRow).where(EvidenceRow.type == type_)).one()


def test_each_request_has_its_outcome_in_order(pki: Pki) -> None:
    before = count(pki, "pki.issuance.intended")
    key = ec.generate_private_key(ec.SECP256R1())
    before = count(pki, "pki.issuance.intended")
    requests = [*map(ask, PEOPLE), ask("nobody-here"), ask("li-wen", key), ask("sun-yue", key)]
    said = batch(pki, *requests)
    assert words(said) == ["issued"] * 5 + ["not-in-register", "issued", "reused-key"]
    for request, one in zip(requests, said, strict=True):
        if isinstance(one, IssuedCertificate):
            subject = x509.load_der_x509_certificate(one.der).subject
            assert subject.rfc4514_string().startswith(f"UID={request.holder},")
            assert pki.authenticator.authenticate(one.der).identifier == request.holder
    assert (count(pki, "pki.issuance.intended") - before, count(pki, "pki.certificate.issued")) == (6, 6)
    assert count(pki, "pki.request.refused") == 2


def test_asking_again_returns_what_was_issued(pki: Pki) -> None:
    requests = [ask("li-wen"), ask("nobody-here"), ask("sun-yue")]
    first = batch(pki, *requests)
    again = batch(pki, *requests, requests[0])
    assert words(again) == ["issued", "not-in-register", "issued", "issued"]
    assert [one.repeated for one in again if isinstance(one, IssuedCertificate)] == [True] * 3
    assert [one.der for one in again if isinstance(one, IssuedCertificate)][:2] == [
        one.der for one in first if isinstance(one, IssuedCertificate)
    ]
    assert count(pki, "pki.certificate.issued") == 2


def test_what_was_revoked_is_not_returned_again(sqlite_pki: Pki) -> None:
    request = ask("li-wen")
    (first,) = batch(sqlite_pki, request)
    assert isinstance(first, IssuedCertificate)
    with sqlite_pki.database.write() as session:
        revocation.revoke(session, first.serial, reason="superseded", actor="lu-security", at=sqlite_pki.clock.now())
    assert words(batch(sqlite_pki, request)) == ["revoked-key"]


@pytest.mark.parametrize("size", [0, issuance.LARGEST + 1])
def test_a_batch_is_bounded(sqlite_pki: Pki, size: int) -> None:
    with pytest.raises(TrustError) as caught:
        batch(sqlite_pki, *[ask("li-wen")] * size)
    assert caught.value.word == "malformed"


def over(pki: Pki, database: Database) -> CertificateAuthority:
    return CertificateAuthority(
        database=database,
        group=GroupCommit(database),
        keys=pki.signer.client,
        clock=pki.clock,
        random=secrets.token_bytes,
        settings=SETTINGS,
    )


def test_a_batch_is_two_transactions_whatever_its_size(sqlite_pki: Pki) -> None:
    database = FailingDatabase(sqlite_pki.database.url)
    database.arm(0, Failure.NOT_APPLIED)
    over(sqlite_pki, database).issue_batch([ask(PEOPLE[number % 5]) for number in range(40)], actor="zhao-ra")
    assert database.writes == 2
    database.close()


def test_requests_that_come_together_share_transactions(sqlite_pki: Pki) -> None:
    database = FailingDatabase(sqlite_pki.database.url)
    authority = over(sqlite_pki, database)
    requests = [ask(PEOPLE[number % 5]) for number in range(32)]
    authority.issue(ask("li-wen"), actor="zhao-ra")
    database.arm(0, Failure.NOT_APPLIED)
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda one: authority.issue(one, actor="zhao-ra").serial, requests))
    assert len(set(made)) == 32
    assert database.writes < 64
    database.close()


def test_the_profiles_are_pinned_in_the_intention(sqlite_pki: Pki) -> None:
    request = ask("li-wen")
    (issued,) = batch(sqlite_pki, request)
    assert isinstance(issued, IssuedCertificate)
    with sqlite_pki.database.read() as session:
        intent = session.get_one(IssuanceIntent, issued.serial)
    assert (intent.request, intent.profiles) == (request.digest, profile.shipped().digest)


def test_the_digest_is_of_everything_that_is_asked_for() -> None:
    one = ask("li-wen")
    others = [
        IssuanceRequest(one.csr, "gateway", one.holder_kind, one.holder),
        IssuanceRequest(one.csr, one.profile, None, one.holder),
        IssuanceRequest(one.csr, one.profile, one.holder_kind, "sun-yue"),
        IssuanceRequest(one.csr, one.profile, one.holder_kind, one.holder, ("a",)),
        IssuanceRequest(one.csr, one.profile, one.holder_kind, one.holder, (), ("a",)),
        IssuanceRequest(one.csr, one.profile, one.holder_kind, one.holder, (), (), 60),
        ask("li-wen"),
    ]
    assert len({request.digest for request in (one, *others)}) == 1 + len(others)


def test_what_was_prepared_is_signed_once_for_its_request_and_by_its_press(sqlite_pki: Pki) -> None:
    filling = templates.sample()
    octets, wanted = templates.fill(filling), templates.meant(filling)
    with sqlite_pki.database.read() as session:
        authority = issuer.load(session, "issuing", sqlite_pki.signer.client)

    def signed(press: tbs.Press, prepared: tbs.Prepared, request: str) -> bytes:
        return authority.sign(press, prepared, request=request)

    press = tbs.Press()
    assert signed(press, press.prepare(octets, wanted, request="one"), "one")
    before = sqlite_pki.signer.client.health().signatures
    used = press.prepare(octets, wanted, request="one")
    signed(press, used, "one")
    forged = tbs.Prepared(used.serial, used.tbs, used.request)
    for prepared, request in ((used, "one"), (forged, "one"), (press.prepare(octets, wanted, request="one"), "two")):
        with pytest.raises(NotPrepared):
            signed(press, prepared, request)
    with pytest.raises(NotPrepared):
        signed(tbs.Press(), press.prepare(octets, wanted, request="one"), "one")
    assert sqlite_pki.signer.client.health().signatures == before + 1


def test_the_endpoint_tells_of_each(sqlite_pki: Pki) -> None:
    asked = [
        issuance_api.IssueRequest(
            csr=csr(ec.generate_private_key(ec.SECP256R1()), holder).decode(), profile="person", holder=holder
        )
        for holder in ("li-wen", "nobody-here")
    ]
    principal = sqlite_pki.authenticator.authenticate(sqlite_pki.issue("zhao-ra").der)
    answer = issuance_api.issue_batch(issuance_api.BatchRequest(requests=asked), principal, sqlite_pki.authority)
    good, bad = answer.items
    assert (good.holder, good.reason, good.chain.count("BEGIN CERTIFICATE"), good.repeated) == ("li-wen", "", 2, False)
    assert (bad.holder, bad.serial, bad.chain, bad.reason) == ("nobody-here", "", "", "not-in-register")
    assert bad.detail


def test_an_unreadable_holder_is_refused_alone(pki: Pki) -> None:
    odd = IssuanceRequest(ask("li-wen").csr, "person", None, "li\0wen", ("a\0b",))
    assert words(batch(pki, odd, ask("sun-yue"))) == ["not-in-register", "issued"]
    assert count(pki, "pki.request.refused") == 1


@pytest.mark.parametrize("name", ["csr", "profile", "holder", "dns_names"])
def test_half_a_character_is_no_request(name: str) -> None:
    body: dict[str, object] = {"csr": "x", "profile": "person", "holder": "li-wen", "dns_names": ["a.example"]}
    body[name] = ["a\ud800"] if name == "dns_names" else "a\ud800"
    with pytest.raises(ValidationError, match="unicode string"):
        issuance_api.IssueRequest.model_validate(body)
    issuance_api.IssueRequest.model_validate(body | {name: ["b"] if name == "dns_names" else "文"})
