"""Two at once: one of them wins, the other is told so, and nothing is done twice."""

import json
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509
from sqlmodel import select

from core.errors import TrustError
from core.ledger.models import EvidenceRow
from pki import listing, revocation
from pki.errors import AlreadyRevoked
from pki.models import CrlList, CrlPublication, Revocation
from tests.pki.conftest import Pki

ROUNDS = 2


def test_two_publishers_never_take_one_number(pki: Pki) -> None:
    """A revocation and the job publish at the same moment: both lists are good, with numbers of their own."""
    with ThreadPoolExecutor(4) as threads:
        for _ in range(ROUNDS):
            made = list(threads.map(lambda _: pki.publisher.refresh(force=True), range(4)))
            assert len({numbers[0] for numbers in made}) == 4
    with pki.database.read() as session:
        rows = session.exec(select(CrlPublication).where(CrlPublication.issuer == "issuing")).all()
    assert sorted(row.number for row in rows) == list(range(1, 4 * ROUNDS + 1))
    # What was overtaken was seen by nobody, and no record says that it was published.
    seen = {row.number for row in rows if row.published_at is not None}
    with pki.database.read() as session:
        told = select(EvidenceRow).where(EvidenceRow.type == "pki.crl.published", EvidenceRow.object == "crl:issuing")
        assert {json.loads(row.content)["details"]["number"] for row in session.exec(told)} == seen
    assert 4 * ROUNDS in seen
    with pki.database.read() as session:
        lists = session.exec(select(CrlList).where(CrlList.issuer == "issuing")).all()
    assert sorted(one.scope for one in lists) == sorted(listing.scopes("issuing"))
    for one in lists:
        # The newest of each scope is kept, whoever was the last to finish.
        assert one.der is not None
        listed = x509.load_der_x509_crl(one.der).extensions.get_extension_for_class(x509.CRLNumber)
        assert listed.value.crl_number == one.number == 4 * ROUNDS


def test_two_revocations_of_one_certificate_are_one(pki: Pki) -> None:
    for holder in ("li-wen", "sun-yue", "wu-ops"):
        serial = pki.issue(holder=holder).serial

        def revoke(actor: str, serial=serial) -> str:  # type: ignore[no-untyped-def]  # a loop's own value
            try:
                with pki.database.write() as session:
                    return revocation.revoke(session, serial, reason="superseded", actor=actor, at=pki.clock.now())
            except TrustError as error:
                return type(error).__name__

        with ThreadPoolExecutor(4) as threads:
            said = list(threads.map(revoke, ("a", "b", "c", "d")))
        assert said.count(AlreadyRevoked.__name__) == 3
        with pki.database.read() as session:
            assert len(session.exec(select(Revocation).where(Revocation.serial == serial)).all()) == 1


def test_many_issuances_at_once(pki: Pki) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: pki.issue().serial, range(12)))
    assert len(set(made)) == 12
