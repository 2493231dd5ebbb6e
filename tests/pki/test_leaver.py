"""Whoever leaves gets no certificate, also when they leave in the middle of one being issued."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from core.errors import TrustError
from core.identity import PersonId
from core.ledger.group import GroupCommit
from core.registry import credential, leaver
from core.registry.errors import HasLeft
from core.registry.leaver import Leaving
from core.registry.models import Person
from pki import revocation
from pki.errors import DepartedHolder
from pki.issuance import CertificateAuthority
from pki.models import Certificate, IssuanceIntent, Revocation
from tests.deploy.holdings import HOLDERS
from tests.pki.conftest import SETTINGS, Pki


def leave(pki: Pki, person: str) -> None:
    at = pki.clock.now()
    with pki.database.write() as session:
        leaver.leave(session, HOLDERS, Leaving(PersonId(person), "演练样本"), actor="lu-security", at=at)


def given_up(pki: Pki) -> set[str]:
    """Do what the job does; return the serial numbers that were given up."""
    pki.clock.advance(minutes=3)
    with pki.database.write() as session:
        revocation.resume(session, before=pki.clock.now(), at=pki.clock.now())
        return set(session.exec(select(IssuanceIntent.serial).where(IssuanceIntent.state == "abandoned")))


def test_leaving_between_the_check_and_the_signature(pki: Pki) -> None:
    """The serial number is drawn after the check: at that very moment the person leaves."""

    def draw(size: int) -> bytes:
        leave(pki, "li-wen")
        return secrets.token_bytes(size)

    pki.authority = CertificateAuthority(
        database=pki.database,
        group=GroupCommit(pki.database),
        keys=pki.signer.client,
        clock=pki.clock,
        random=draw,
        settings=SETTINGS,
    )
    with pytest.raises(HasLeft):
        pki.issue("li-wen")
    (serial,) = given_up(pki)
    with pki.database.read() as session:
        assert session.exec(select(Certificate)).all() == []
        assert session.get(Revocation, serial) is not None
        assert credential.held_by(session, "person", "li-wen") == []


@pytest.mark.parametrize("round_", range(3))
def test_issuing_and_leaving_at_once_leaves_nothing_good(pki: Pki, round_: int) -> None:
    def issue(_: int) -> str:
        try:
            return pki.issue("sun-yue").serial
        except TrustError as error:
            return type(error).__name__

    with ThreadPoolExecutor(5) as threads:
        issuing = threads.map(issue, range(4))
        leaving = threads.submit(leave, pki, "sun-yue")
        said = list(issuing)
        leaving.result()
    assert set(said) <= {one for one in said if len(one) == 40} | {"HasLeft"}
    given_up(pki)
    with pki.database.read() as session:
        assert {one.state for one in credential.held_by(session, "person", "sun-yue")} <= {"revoked"}
        assert HOLDERS.holdings(session, "person", "sun-yue", pki.clock.now()) == []


def test_no_door_opens_to_who_left(pki: Pki) -> None:
    """Also when the certificate itself was not revoked, as a store that is restored badly might say."""
    issued = pki.issue("li-wen")
    assert pki.authenticator.authenticate(issued.der).identifier == "li-wen"
    with pki.database.write() as session:
        session.get_one(Person, "li-wen").left_at = pki.clock.now()
    with pytest.raises(DepartedHolder):
        pki.authenticator.authenticate(issued.der)
    with pytest.raises(HasLeft):
        pki.issue("li-wen")
