"""Whoever waited for the register looks at it as it is after them: an act rests on nothing that ended meanwhile."""

import pytest
from sqlmodel import Session

from core.database import Database
from core.identity import PersonId, PostId, Principal
from core.registry import acts_api, agreement, api, change, changeset, content, handover, history, role, table
from core.registry.acts_api import ChangeRequest, HandoverRequest, ImportRequest, SignatureRequest
from core.registry.api import RoleRequest
from core.registry.errors import SeparationOfDuties
from core.registry.handover import Order
from tests.aside import meanwhile
from tests.clock import ManualClock
from tests.core.signers import Signer, certified
from tests.people import enter_province

ONE = "agr-2026-017"
PEOPLE = (
    "id,name,organisation,domain,clearance,member_of,roles\nnew-one,新人,bc-czt,outer-finance,public,outer-finance,\n"
)


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
    clock.advance(days=1)
    return database


@pytest.fixture
def signer(province: Database, clock: ManualClock) -> Signer:
    with province.write() as session:
        return certified(session, "yan-police", clock.now())


@pytest.fixture
def principal(signer: Signer, clock: ManualClock) -> Principal:
    return signer.peer(clock.now()).principal


def apply(session: Session, text: str, clock: ManualClock) -> None:
    asked = changeset.parse_change_set(text, history.whole(session, clock.now()))
    change.apply(session, asked.wanted, actor="x", at=clock.now(), ends=asked.ends, basis=asked.basis)


def handed(session: Session, post: str, to: str, clock: ManualClock) -> None:
    handover.hand_over(session, Order(PostId(post), PersonId(to), "演练样本"), actor="x", now=clock.now())


def test_what_ended_meanwhile_is_not_changed_any_more(
    province: Database, clock: ManualClock, principal: Principal
) -> None:
    body = ChangeRequest(text=f"basis: x\nchange:\n  agreements: [{{id: {ONE}, purpose: 另一用途}}]\n")
    outcome = meanwhile(
        province,
        clock,
        lambda session: acts_api.apply(body, session, principal, clock),
        lambda session: apply(session, f"basis: x\nend:\n  agreements: [{ONE}]\n", clock),
    )
    assert outcome == "register-rejected"


def test_who_was_entered_meanwhile_is_not_entered_again(
    province: Database, clock: ManualClock, principal: Principal
) -> None:
    def enter(session: Session) -> None:
        wanted = table.parse_table(PEOPLE, "person", history.whole(session, clock.now()))
        change.apply(session, wanted, actor="x", at=clock.now())

    body = ImportRequest(text=PEOPLE, kind="person")
    outcome = meanwhile(province, clock, lambda session: acts_api.import_table(body, session, principal, clock), enter)
    assert isinstance(outcome, acts_api.ChangeAnswer)
    assert (outcome.added, outcome.changed) == ([], [])


def test_a_post_is_handed_over_by_whoever_holds_it_by_then(
    province: Database, clock: ManualClock, principal: Principal
) -> None:
    body = HandoverRequest(to="chen-dev", basis="演练样本")
    outcome = meanwhile(
        province,
        clock,
        lambda session: acts_api.hand_over("czt-head", body, session, principal, clock),
        lambda session: handed(session, "czt-head", "chu-dev", clock),
    )
    assert isinstance(outcome, acts_api.HandoverAnswer)
    assert (outcome.outgoing, outcome.incoming) == ("chu-dev", "chen-dev")


def test_whoever_held_the_post_when_they_asked_does_not_sign(
    province: Database, clock: ManualClock, signer: Signer
) -> None:
    asked = clock.now()
    with province.read() as session:
        digest = agreement.content_digest(session, ONE)
    body = SignatureRequest(signed=signer.sign(content.SIGN, f"agreement:{ONE}", digest, asked))
    peer = signer.peer(asked, clock=clock)
    outcome = meanwhile(
        province,
        clock,
        lambda session: acts_api.sign_agreement(ONE, body, session, peer),
        lambda session: handed(session, "gat-head", "cao-police", clock),
    )
    assert outcome == "bad-agreement"


def test_an_office_is_not_given_beside_one_that_was_given_meanwhile(
    province: Database, clock: ManualClock, principal: Principal
) -> None:
    body = RoleRequest(person="chen-dev", role="analyst")
    outcome = meanwhile(
        province,
        clock,
        lambda session: api.assign(body, session, principal, clock),
        lambda session: role.appoint(session, person=PersonId("chen-dev"), role="auditor", giver="x", at=clock.now()),
    )
    assert outcome == SeparationOfDuties.reason
