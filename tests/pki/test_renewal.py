"""Renewal: a good certificate brings the next one for the same names, over a new key unless the profile lets one be."""

from contextlib import closing
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import Session, func, select

from core.errors import TrustError, Unavailable
from core.identity import Serial
from core.ledger.models import EvidenceRow
from core.registry.credential import Credential
from pki import admission, revocation
from pki.errors import RenewedTooOften, SameKey
from pki.models import Revocation
from pki.profile import shipped
from pki.renewal import Renewal, Renewed
from pki.request import IssuanceRequest, IssuedCertificate
from tests.failing import FailingDatabase, Failure
from tests.pki.conftest import Pki, csr
from tests.pki.counter import decide
from tests.pki.test_batch import over
from tests.pki.test_recheck import OUTCOME, Interrupted, change

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def renew(
    pki: Pki, present: IssuedCertificate | bytes, key: Key | None = None, content: bytes | None = None
) -> Renewed:
    renewal = Renewal(database=pki.database, authority=pki.authority, request_desk=pki.desk, clock=pki.clock)
    principal = pki.authenticator.authenticate(present if isinstance(present, bytes) else present.der)
    return renewal.renew(content or csr(key or new_key(), principal.identifier), principal)


def own(chain: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(chain.encode())[0]


def machine(pki: Pki, key: Key | None = None, **more: object) -> IssuedCertificate:
    hosts = ("fin-budget.fin.beichen.example",)
    content = csr(key or new_key(), "fin-budget-app")
    request = IssuanceRequest(content, "application", None, "fin-budget-app", hosts, **more)  # type: ignore[arg-type]
    return pki.authority.issue(request, actor="zhao-ra")


def test_a_person_gets_the_next_certificate_over_another_key(sqlite_pki: Pki) -> None:
    present = sqlite_pki.issue()
    sqlite_pki.clock.advance(days=250)
    key = new_key()
    made = renew(sqlite_pki, present, key)
    before, after = x509.load_der_x509_certificate(present.der), own(made.chain)
    assert (made.state, after.public_key()) == ("issued", key.public_key())
    assert after.subject == before.subject
    lives = [one.not_valid_after_utc - one.not_valid_before_utc for one in (before, after)]
    assert lives[0] == lives[1]
    assert after.not_valid_before_utc > before.not_valid_before_utc
    with sqlite_pki.database.read() as session:
        last = session.exec(select(EvidenceRow).where(EvidenceRow.type == "pki.certificate.issued")).all()[-1]
    assert last.actor == "li-wen"


def test_names_and_life_are_those_of_the_present_one(sqlite_pki: Pki) -> None:
    """Whatever the request says: it is judged against what was allowed before."""
    present = machine(sqlite_pki, lifetime_seconds=86_400)
    made = own(renew(sqlite_pki, present).chain)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["fin-budget.fin.beichen.example"]
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=1, seconds=-1)
    for content, word in (
        (csr(new_key(), "fin-budget-app", dns=("other.fin.beichen.example",)), "foreign-name"),
        (csr(new_key(), "li-wen"), "foreign-name"),
        (csr(ec.generate_private_key(ec.SECP521R1()), "fin-budget-app"), "weak-key"),
        (b"-----BEGIN", "malformed-request"),
    ):
        with pytest.raises(TrustError) as refused:
            renew(sqlite_pki, present, content=content)
        assert refused.value.word == word


def test_the_same_key_only_where_the_profile_lets_it(sqlite_pki: Pki) -> None:
    key = new_key()
    assert shipped().get("application").same_key
    assert own(renew(sqlite_pki, machine(sqlite_pki, key), key).chain).public_key() == key.public_key()
    person = sqlite_pki.issue(key=(mine := new_key()))
    with pytest.raises(SameKey):
        renew(sqlite_pki, person, mine)
    with pytest.raises(TrustError) as refused:
        renew(sqlite_pki, person, key)
    assert refused.value.word == "reused-key"


def test_the_very_same_request_is_one_renewal(sqlite_pki: Pki) -> None:
    present, content = sqlite_pki.issue(), csr(new_key(), "li-wen")
    first, second = (renew(sqlite_pki, present, content=content) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("nth", [1, 2])
def test_who_was_interrupted_gets_what_was_issued(sqlite_pki: Pki, nth: int, how: Failure) -> None:
    present, content = sqlite_pki.issue(), csr(new_key(), "li-wen")
    principal = sqlite_pki.authenticator.authenticate(present.der)
    database = FailingDatabase(sqlite_pki.database.url)
    broken = Renewal(
        database=database, authority=over(sqlite_pki, database), request_desk=sqlite_pki.desk, clock=sqlite_pki.clock
    )
    database.arm(nth, how)
    with pytest.raises(Unavailable):
        broken.renew(content, principal)
    database.close()
    made = renew(sqlite_pki, present, content=content)
    assert own(made.chain).public_key() == x509.load_pem_x509_csr(content).public_key()
    with sqlite_pki.database.read() as session:
        assert session.exec(select(func.count()).select_from(Credential)).one() == 2


def test_two_officers_where_the_level_says_so(sqlite_pki: Pki) -> None:
    present = sqlite_pki.issue("han-office")
    content = csr(new_key(), "han-office")
    waiting = renew(sqlite_pki, present, content=content)
    assert (waiting.state, waiting.chain, waiting.waits_for) == ("submitted", "", "a registration officer")
    assert renew(sqlite_pki, present, content=content) == waiting
    decide(sqlite_pki, waiting.request, "zhao-ra")
    assert renew(sqlite_pki, present, content=content).state == "checked"
    with pytest.raises(TrustError):
        decide(sqlite_pki, waiting.request, "han-office")
    decide(sqlite_pki, waiting.request, "lu-security")
    done = renew(sqlite_pki, present, content=content)
    assert own(done.chain).public_key() == x509.load_pem_x509_csr(content).public_key()


@pytest.mark.parametrize("act", ["revoke", "hold", "expire"])
def test_what_is_not_good_renews_nothing(sqlite_pki: Pki, act: str) -> None:
    present, at = sqlite_pki.issue(), sqlite_pki.clock.now()
    with sqlite_pki.database.write() as session:
        if act == "revoke":
            revocation.revoke(session, present.serial, reason="superseded", actor="x", at=at)
        elif act == "hold":
            end = at + timedelta(days=1)
            revocation.hold(session, present.serial, until=end, message="", actor="x", at=at)
    if act == "expire":
        sqlite_pki.clock.advance(days=400)
    with pytest.raises(TrustError):
        renew(sqlite_pki, present)


def test_a_revocation_while_the_token_signs_ends_the_renewal_too(pki: Pki) -> None:
    """Else whoever stole a key had another certificate at the moment when its own was revoked."""
    present, at = pki.issue(), pki.clock.now()
    principal = pki.authenticator.authenticate(present.der)

    def revoke(session: Session) -> None:
        revocation.revoke(session, present.serial, reason="key-compromise", actor="x", at=at)

    with closing(Interrupted(pki.database.url)) as slow:
        renewal = Renewal(database=slow, authority=over(pki, slow), request_desk=pki.desk, clock=pki.clock)
        slow.arm(OUTCOME, change(pki, revoke))
        with pytest.raises(TrustError) as refused:
            renewal.renew(csr(new_key(), "li-wen"), principal)
    assert refused.value.word == "not-renewable"
    with pki.database.read() as session:
        assert [one.serial for one in session.exec(select(Credential)).all()] == [present.serial]
        assert session.get(Revocation, present.serial) is not None
    # And what is revoked before anything is intended uses no serial number up.
    with pytest.raises(TrustError) as refused, pki.database.read() as session:
        admission.check_renewable(session, present.serial)
    assert refused.value.word == "not-renewable"


def test_nobody_collects_certificates(sqlite_pki: Pki) -> None:
    present = sqlite_pki.issue()
    content = csr(new_key(), "li-wen")
    made = [renew(sqlite_pki, present, content=content), *(renew(sqlite_pki, present) for _ in range(10))]
    with pytest.raises(RenewedTooOften):
        renew(sqlite_pki, present)
    assert renew(sqlite_pki, present, content=content) == made[0]
    sqlite_pki.clock.advance(days=1, seconds=1)
    assert renew(sqlite_pki, present).state == "issued"


def test_old_and_new_are_good_together(sqlite_pki: Pki) -> None:
    present = sqlite_pki.issue()
    made = renew(sqlite_pki, present)
    for der in (present.der, own(made.chain).public_bytes(Encoding.DER)):
        assert sqlite_pki.authenticator.authenticate(der).identifier == "li-wen"
    assert Serial(made.serial) != present.serial
