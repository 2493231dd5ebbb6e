"""A restore brings nobody back who left, and no duty is forgotten that was raised after the cut."""

from datetime import timedelta

from sqlmodel import Session, col, select

from backup import proof
from core.clock import SystemClock
from core.duty import duty, jobs
from core.duty.models import Duty
from core.identity import PersonId
from core.registry import leaver, person
from core.registry.leaver import Leaving
from core.registry.models import Person, PostHolding
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture
from tests.deploy.holdings import HOLDERS

NOW = SystemClock().now


def raised(session: Session, number: int, stage: str = "", post: str = "czt-operations") -> str:
    return duty.raise_duty(
        session,
        kind="alert",
        object_=f"alert:{number}",
        title=f"alert {number}",
        post=post,
        domain="outer-finance",
        due=NOW() - timedelta(minutes=1),
        at=NOW(),
        actor="device:sensor-1",
        stage=stage,
    )


def kept(session: Session) -> list[dict[str, object]]:
    rows = session.exec(select(Duty).order_by(Duty.object))
    return [{name: _rounded(value) for name, value in row.model_dump().items()} for row in rows]


def _rounded(value: object) -> object:
    """Records keep milliseconds."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000) if hasattr(value, "microsecond") else value  # type: ignore[attr-defined]


def test_duties_after_the_cut_wait_on(realm: Realm, come_back: Return) -> None:  # noqa: F811  # the fixture
    with realm.database.write() as session:
        raised(session, 0)
    realm.point()
    with realm.database.write() as session:
        first, second, third = raised(session, 1), raised(session, 2), raised(session, 3)
        raised(session, 4, "30")
        duty.acknowledge(session, first, person="wu-ops", proof={}, at=NOW())
        duty.conclude(session, second, person="wu-ops", proof={}, at=NOW())
        duty.acknowledge(session, third, person="wu-ops", proof={}, at=NOW())
        jobs.escalate(session, NOW())
        raised(session, 4, "7")
        raised(session, 4, "7", "czt-head")
        before = kept(session)
    restored = come_back()
    with restored.database.read() as session:
        assert kept(session) == before


def test_whoever_left_after_the_cut_stays_gone(realm: Realm, come_back: Return) -> None:  # noqa: F811  # the fixture
    realm.issue("zhou-head")
    realm.point()
    asked = Leaving(PersonId("zhou-head"), "演练样本", PersonId("zheng-budget"))
    with realm.database.write() as session:
        leaver.leave(session, HOLDERS, asked, actor="lu-security", at=NOW())
    restored = come_back()
    with restored.database.read() as session:
        assert session.get_one(Person, "zhou-head").left_at is not None
        assert HOLDERS.holdings(session, "person", "zhou-head", NOW()) == []
        assert person.memberships(session, PersonId("zhou-head")) == frozenset()
        held = session.exec(select(PostHolding).where(PostHolding.post == "czt-head", col(PostHolding.until).is_(None)))
        assert held.one().person == "zheng-budget"


def test_points_become_duties_by_their_proofs(realm: Realm) -> None:
    point = realm.point()

    def told(days: int = 0) -> list[tuple[str, str, str]]:
        with realm.database.write() as session:
            proof.tell(session, realm.repository, NOW() + timedelta(days=days))
            return [(one.kind, one.object, one.post) for one in duty.waiting(session)]

    assert told() == []
    assert told(31) == [("unproven-point", f"point:{point.id}", "xxb-operations")]
    realm.repository.record_proof(point.id, {"ok": False, "sha256": point.sha256})
    assert told(31) == [("failed-drill", f"point:{point.id}", "xxb-operations")]
    realm.repository.record_proof(point.id, {"ok": True, "sha256": "0" * 64})
    assert told(31) == [("unproven-point", f"point:{point.id}", "xxb-operations")]
    realm.repository.record_proof(point.id, {"ok": True, "sha256": point.sha256})
    assert told(31) == []
