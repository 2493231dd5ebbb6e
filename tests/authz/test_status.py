"""A decision and a revocation never overlap: the one that is recorded second knows the first."""

import threading
from datetime import timedelta

import pytest
from sqlmodel import col, select

from authz import status
from core.database import Database
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from core.registry.credential import Credential
from pki import revocation
from tests.clock import ManualClock

SERIAL = Serial("1a" * 20)
LI_WEN = Principal(
    SubjectKind.PERSON, "li-wen", "李文", OrganisationId("bc-czt"), DomainId("outer-finance"), "issuing", SERIAL
)


@pytest.fixture
def entered(database: Database, clock: ManualClock) -> Database:
    row = Credential(
        serial=SERIAL,
        issuer="issuing",
        holder_kind="person",
        holder="li-wen",
        domain="outer-finance",
        profile="person",
        certificate_sha256="0" * 64,
        spki_sha256="1" * 64,
        not_before=clock.now(),
        not_after=clock.now() + timedelta(days=1),
    )
    with database.write() as session:
        session.add(row)
    return database


def test_revocation_waits_for_the_decision_that_looked_before(entered: Database, clock: ManualClock) -> None:
    looked, revoked = threading.Event(), threading.Event()

    def decide() -> None:
        with entered.write() as session:
            assert status.refusal(session, LI_WEN, clock.now()) == ""
            looked.set()
            # Long enough for a revocation that does not wait to be through.
            assert not revoked.wait(0.5)
            evidence.append(session, Event("test.decision.made", "li-wen", "system:x"), at=clock.now())

    def revoke() -> None:
        looked.wait(10)
        with entered.write() as session:
            revocation.revoke(session, SERIAL, reason="key-compromise", actor="lu-security", at=clock.now())
        revoked.set()

    threads = [threading.Thread(target=work) for work in (decide, revoke)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert revoked.is_set()
    with entered.read() as session:
        types = session.exec(select(EvidenceRow.type).order_by(col(EvidenceRow.row))).all()
        assert types == ["test.decision.made", "pki.certificate.revoked"]
        assert status.refusal(session, LI_WEN, clock.now()) == "revoked"
