"""After a restore what was on hold is on hold, what was released is good, and no order is carried out twice."""

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import select

from core.clock import SystemClock
from core.database import Database
from core.identity import Serial
from core.ledger.models import EvidenceRow
from core.registry import credential
from pki import bulk, jobs, revocation
from pki.bulk import Choice
from pki.models import BulkRevocation, BulkRevocationItem, CertificateHold
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture

NOW = SystemClock().now


def hold(realm: Realm, serial: Serial, days: int) -> None:
    with realm.database.write() as session:
        end = (NOW() + timedelta(days=days)).replace(microsecond=0)
        revocation.hold(session, serial, until=end, message="演练样本", actor="lu-security", at=NOW())


def release(realm: Realm, serial: Serial) -> None:
    with realm.database.write() as session:
        revocation.release(session, serial, actor="lu-security", at=NOW())


def standing(database: Database, serials: Sequence[Serial]) -> list[tuple[str, str]]:
    """Return state and end of hold of each."""
    with database.read() as session:
        holds = [session.get(CertificateHold, one) for one in serials]
        ends = [one.until.isoformat() if one is not None else "" for one in holds]
        states = [credential.get(session, one).state for one in serials]
        return list(zip(states, ends, strict=True))


def test_holds_and_releases_after_the_cut(realm: Realm, come_back: Return) -> None:  # noqa: F811  # the fixture
    held, freed, longer, ended = serials = [realm.issue() for _ in range(4)]
    for one in (freed, longer, ended):
        hold(realm, one, 1)
    realm.point()
    hold(realm, held, 3)
    release(realm, freed)
    hold(realm, longer, 9)
    realm.revoke(ended)
    realm.sequence()
    before = standing(realm.database, serials)
    assert [state for state, _end in before] == ["held", "good", "held", "revoked"]
    assert standing(come_back().database, serials) == before


def order(realm: Realm, count: int, *, only_plan: bool = False) -> str:
    serials = tuple(realm.issue() for _ in range(count))
    with realm.database.write() as session:
        planned = bulk.plan(session, Choice(serials=serials), "superseded", NOW())
        bulk.keep(session, planned, "superseded", actor="lu-security", at=NOW())
        if not only_plan:
            bulk.order(session, planned, "superseded", actor="lu-security", at=NOW())
    return planned.digest


def step(realm: Realm, digest: str, most: int) -> None:
    with realm.database.write() as session:
        bulk.step(session, digest, NOW(), most=most)


def test_an_order_is_finished_once(realm: Realm, come_back: Return) -> None:  # noqa: F811  # the fixture
    finished, planned = order(realm, 3), order(realm, 2, only_plan=True)
    step(realm, finished, 1)
    realm.point()
    step(realm, finished, 9)
    with realm.database.write() as session:
        kept = bulk.kept(session, planned, "superseded", NOW())
        bulk.order(session, kept, "superseded", actor="sun-yue", at=NOW())
    step(realm, planned, 1)
    lost = order(realm, 1)
    realm.sequence()
    told = come_back()
    with told.database.read() as session:
        assert bulk.open_orders(session) == [planned]
        assert session.get_one(BulkRevocation, planned).actor == "sun-yue"
        assert session.get_one(BulkRevocation, finished).done == 3
        assert session.get(BulkRevocation, lost) is None
    not_rebuilt = told.told["not_rebuilt"]
    assert isinstance(not_rebuilt, dict)
    assert not_rebuilt["pki.revocation.ordered"].startswith("1: "), lost
    (job,) = [one for one in jobs.jobs(told.database) if one.name == "pki.revocation.bulk"]
    job.run(NOW())
    with told.database.read() as session:
        assert bulk.open_orders(session) == []
        assert session.exec(select(BulkRevocationItem)).all() == []
        ends = select(EvidenceRow.object).where(EvidenceRow.type == "pki.revocation.finished")
        assert sorted(session.exec(ends)) == sorted(f"certificates:{one}" for one in (finished, planned))
