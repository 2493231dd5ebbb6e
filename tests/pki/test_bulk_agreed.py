"""A thousand certificates through proposal and approval: two people sign a digest, and the plan says which they are."""

from datetime import timedelta

from sqlmodel import Session, col, func, select

from core.approval import acts, proposal
from core.approval.acts import Acts
from core.approval.state import State
from core.database import Database
from core.registry.credential import Credential, CredentialState
from pki import bulk_act, bulk_api, jobs
from pki.models import BulkRevocation
from tests.clock import ManualClock
from tests.core.approval.desk import SECURITY, SYSTEM, opened

COUNT = 1_000


def enter(session: Session, clock: ManualClock) -> list[str]:
    """Enter certificates that only the register knows."""
    serials = [f"{number:040x}" for number in range(1, COUNT + 1)]
    for serial in serials:
        session.add(
            Credential(
                serial=serial,
                issuer="issuing",
                holder_kind="person",
                holder="li-wen",
                domain="outer-finance",
                profile="person",
                certificate_sha256=serial.zfill(64),
                spki_sha256="0" * 64,
                not_before=clock.now(),
                not_after=clock.now() + timedelta(days=30),
            )
        )
    return serials


def test_a_thousand_are_proposed_approved_and_revoked(database: Database, clock: ManualClock) -> None:
    desk = opened(database, clock)
    desk.acts = Acts([one for one in acts.load() if one.act == bulk_act.NAME], [bulk_act.ACT])
    with database.write() as session:
        serials = enter(session, clock)
    proposer = desk.people[SECURITY].peer(clock.now(), clock=clock).principal
    asked = bulk_api.PlanRequest(serials=serials, reason="superseded")
    planned = bulk_api.plan(asked, proposer, database, clock)
    assert (planned.count, planned.needs_two) == (COUNT, True)
    body = {"digest": planned.digest, "reason": "superseded"}
    row = desk.propose(SECURITY, body, act=bulk_act.NAME, object_=f"certificates:{planned.digest}")
    with database.read() as session:
        assert len(proposal.steps.current(session, row).body) < 200
    assert desk.approve(SYSTEM, row).state == State.DONE
    with database.read() as session:
        order = session.get_one(BulkRevocation, planned.digest)
        assert (order.state, order.total, order.actor) == ("open", COUNT, SECURITY)
    (job,) = [one for one in jobs.jobs(database) if one.name == "pki.revocation.bulk"]
    job.run(clock.now())
    with database.read() as session:
        revoked = select(func.count(col(Credential.serial))).where(Credential.state == CredentialState.REVOKED)
        assert session.exec(revoked).one() == COUNT
        shown = bulk_api.show(planned.digest, session)
        assert (shown.state, shown.done, shown.skipped) == ("done", COUNT, 0)
