"""What is committed between two statements of a transaction (PostgreSQL shows it to the second) loses nothing."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from core.database import Database
from core.identity import Serial
from pki import listed, pointers, revocation, standing
from tests.clock import ManualClock
from tests.pki.between import between
from tests.pki.conftest import Pki, build
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
