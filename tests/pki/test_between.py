"""What is committed between two statements of a transaction (PostgreSQL shows it to the second) loses nothing."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from sqlmodel import col, select

from core.database import Database
from core.errors import Unavailable
from core.identity import Serial
from core.ledger.models import EvidenceRow
from hsm.client import SignerClient
from pki import crl, jobs, listed, pointers, revocation, standing, status_api, watch
from pki.crl import CrlPublisher
from pki.errors import OnHold
from pki.models import CrlList, CrlPublication
from tests.clock import ManualClock
from tests.pki.between import between
from tests.pki.conftest import SETTINGS, Pki, build
from tests.services import postgres
from tests.services.softhsm import Running


@pytest.fixture
def postgres_pki(
    postgres_cluster: postgres.Cluster,
    tables_template: str,
    clock: ManualClock,
    signer_process: Running,
    tmp_path: Path,
) -> Iterator[Pki]:
    with closing(Database(postgres_cluster.create(tables_template))) as database:
        yield build(database, clock, signer_process, tmp_path)


def revoke(pki: Pki, serial: Serial) -> None:
    with pki.database.write() as session:
        revocation.revoke(session, serial, reason="superseded", actor="x", at=pki.clock.now())


def hold(pki: Pki, serial: Serial, *, hours: int = 1) -> None:
    at = pki.clock.now()
    with pki.database.write() as session:
        revocation.hold(session, serial, until=at + timedelta(hours=hours), message="", actor="x", at=at)


def release(pki: Pki, serial: Serial) -> None:
    with pki.database.write() as session:
        revocation.release(session, serial, actor="x", at=pki.clock.now())


@pytest.mark.parametrize("after", [False, True])
def test_a_revocation_while_a_number_is_taken_is_on_its_lists(postgres_pki: Pki, after: bool) -> None:
    pki = postgres_pki
    pki.publisher.refresh()
    first = pki.issue().serial
    second = next(one for _ in range(9) if pointers.shard(one := pki.issue().serial) != pointers.shard(first))
    revoke(pki, first)
    with between(pki.database, "UPDATE revocation_change", lambda: revoke(pki, second), after=after):
        pki.publisher.refresh()
    assert pki.publisher.is_due() == after
    pki.publisher.refresh()
    for scope in (str(pointers.shard(second)), "full", "delta"):
        crl = x509.load_der_x509_crl(pki.publisher.current("issuing", scope))
        assert crl.get_revoked_certificate_by_serial_number(int(second, 16)) is not None, scope
    with pki.database.read() as session:
        assert listed.number(session, second) == (3 if after else 2)


def test_what_is_on_hold_is_never_good_while_it_is_revoked(postgres_pki: Pki) -> None:
    pki, serial = postgres_pki, postgres_pki.issue().serial
    hold(pki, serial)
    with (
        between(pki.database, "FROM revocation", lambda: revoke(pki, serial), after=True),
        pki.database.read() as session,
    ):
        assert standing.of(session, serial).state == "held"
    hold(pki, serial := pki.issue().serial)
    with (
        between(pki.database, "FROM certificate_hold", lambda: revoke(pki, serial)),
        pki.database.read() as session,
    ):
        assert standing.of(session, serial).state == "revoked"


def test_a_hold_that_gets_another_end_is_not_released(postgres_pki: Pki) -> None:
    pki = postgres_pki
    longer, gone, revoked, ended = (pki.issue(holder=who).serial for who in ("li-wen", "sun-yue", "wu-ops", "zhao-ra"))
    for serial in (longer, gone, revoked, ended):
        hold(pki, serial)
    pki.clock.advance(hours=2)

    def meanwhile() -> None:
        hold(pki, longer, hours=5)
        release(pki, gone)
        revoke(pki, revoked)

    (job,) = [one for one in jobs.jobs(pki.database) if one.name == "pki.hold.release"]
    with between(pki.database, "FROM certificate_hold", meanwhile, after=True):
        job.run(pki.clock.now())
    with pki.database.read() as session:
        found = [standing.of(session, serial).state for serial in (longer, gone, revoked, ended)]
    assert found == ["held", "good", "revoked", "good"]


def test_whoever_was_on_hold_a_moment_ago_is_told_so(postgres_pki: Pki) -> None:
    pki, issued = postgres_pki, postgres_pki.issue()
    hold(pki, issued.serial)
    with (
        between(pki.database, "FROM certificate_hold", lambda: release(pki, issued.serial)),
        pytest.raises(OnHold),
    ):
        pki.authenticator.authenticate(issued.der)
    assert pki.authenticator.authenticate(issued.der).identifier == "li-wen"


def test_a_list_is_served_while_another_is_published(postgres_pki: Pki) -> None:
    pki = postgres_pki
    pki.publisher.refresh()
    for turn in range(2):
        publish = partial(pki.publisher.refresh, force=True)
        with between(pki.database, "FROM crl_list", publish, after=True), pki.database.read() as session:
            if turn:
                assert status_api.full_list("issuing", session).headers["etag"] == '"issuing-full-3"'
            else:
                assert pki.publisher.current("issuing")
                assert crl.find(session, "issuing").number == 2


class Overtaken(SignerClient):
    """A token that takes so long that somebody else publishes first."""

    def __init__(self, pki: Pki) -> None:
        super().__init__(pki.signer.settings.socket)
        self._pki, self._done = pki, False

    def sign(self, label: str, data: bytes) -> bytes:
        if not self._done:
            self._done = True
            self._pki.publisher.refresh(force=True)
        return super().sign(label, data)


def test_whoever_was_overtaken_tells_of_no_list(pki: Pki) -> None:
    serial = pki.issue().serial
    pki.publisher.refresh()
    revoke(pki, serial)
    with closing(Overtaken(pki)) as keys:
        CrlPublisher(database=pki.database, keys=keys, clock=pki.clock, settings=SETTINGS).publish("issuing")
    with pki.database.read() as session:
        told = select(EvidenceRow).where(EvidenceRow.type == "pki.crl.published", EvidenceRow.object == "crl:issuing")
        told = told.order_by(col(EvidenceRow.row))
        assert [json.loads(row.content)["details"]["number"] for row in session.exec(told)] == [1, 3]
        assert session.get_one(CrlPublication, ("issuing", 2)).published_at is None
        assert listed.number(session, serial) == 3
    assert not pki.publisher.is_due()


def test_a_signer_that_is_away_costs_no_number_and_is_seen(pki: Pki, tmp_path: Path) -> None:
    pki.publisher.refresh()
    revoke(pki, pki.issue().serial)
    keys = SignerClient(tmp_path / "nobody")
    away = CrlPublisher(database=pki.database, keys=keys, clock=pki.clock, settings=SETTINGS)
    for _ in range(3):
        with pytest.raises(Unavailable):
            away.refresh()
    with pki.database.read() as session:
        numbers = session.exec(select(CrlPublication.number).where(CrlPublication.issuer == "issuing")).all()
        assert numbers == [1]


class Broken(SignerClient):
    """A signer that is there, and whose token signs nothing."""

    def sign(self, label: str, data: bytes) -> bytes:
        raise Unavailable("the token signs nothing: broken by the test")


def test_numbers_that_nobody_saw_are_forgotten_and_their_changes_are_missed(pki: Pki) -> None:
    pki.publisher.refresh()
    revoke(pki, serial := pki.issue().serial)
    with closing(Broken(pki.signer.settings.socket)) as keys:
        broken = CrlPublisher(database=pki.database, keys=keys, clock=pki.clock, settings=SETTINGS)
        for _ in range(105):
            with pytest.raises(Unavailable):
                broken.refresh()
    pki.clock.advance(minutes=1)
    with pki.database.read() as session:
        numbers = session.exec(select(CrlPublication.number).where(CrlPublication.issuer == "issuing")).all()
        assert sorted(numbers) == [1, *range(6, 107)]
        unsigned = select(CrlList.number).where(CrlList.issuer == "issuing", col(CrlList.der).is_(None))
        assert min(session.exec(unsigned)) == 6
        assert [one.name for one in watch.look(session, pki.clock.now()) if not one.ok] == ["changes of issuing"]
    pki.publisher.refresh()
    with pki.database.read() as session:
        assert listed.number(session, serial) == 107
        assert all(one.ok for one in watch.look(session, pki.clock.now()))
