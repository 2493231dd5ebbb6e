"""Sharing agreements: signed by whoever answers on either side, over the content; then fixed, and only ended."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlmodel import Session

from core.database import Database
from core.identity import PersonId, PostId
from core.registry import agreement, change, changeset, content, handover, history, view
from core.registry.errors import BadAgreement, NotInRegister, RegisterRejected
from core.registry.handover import Order
from core.registry.models import Agreement
from core.signed import BadSignature
from tests.clock import ManualClock
from tests.core.signers import certified
from tests.people import enter_province

ONE = "agr-2026-017"


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
    clock.advance(days=1)
    return database


def sign(database: Database, person: str, clock: ManualClock, *, digest: str = "") -> str:
    """Sign the present content, or that of ``digest``."""
    with database.write() as session:
        signer = certified(session, person, clock.now())
        seen = digest or agreement.content_digest(session, ONE)
        signature = signer.sign(content.SIGN, f"agreement:{ONE}", seen, clock.now())
        return agreement.sign(session, ONE, peer=signer.peer(clock.now(), clock=clock), signature=signature).state


def state(session: Session, clock: ManualClock, **ago: int) -> str:
    return agreement.standing(session, ONE, clock.now() - timedelta(**ago)).state


def apply(database: Database, text: str, clock: ManualClock) -> None:
    with database.write() as session:
        asked = changeset.parse_change_set(text, history.whole(session, clock.now()))
        change.apply(session, asked.wanted, actor="lu-security", at=clock.now(), ends=asked.ends, basis=asked.basis)


def test_both_sides_sign_and_then_it_is_fixed_and_only_ended(province: Database, clock: ManualClock) -> None:
    assert sign(province, "yan-police", clock) == "draft"
    with pytest.raises(BadAgreement, match="has signed"):
        sign(province, "yan-police", clock)
    for stranger in ("ma-gateway", "zhou-head", "xu-hr"):
        with pytest.raises(BadAgreement, match="holds neither"):
            sign(province, stranger, clock)
    clock.advance(hours=1)
    assert sign(province, "zhang-hr", clock) == "signed"
    with province.read() as session:
        assert state(session, clock) == "in force"
        assert state(session, clock, minutes=30) == "draft"
        shown = view.entry(session, "agreement", ONE, clock.now())
        assert shown["signers"] == ["giver: yan-police", "receiver: zhang-hr"]
    clock.advance(days=1)
    with pytest.raises(RegisterRejected, match="is signed and cannot be changed"):
        apply(province, f"basis: x\nchange:\n  agreements: [{{id: {ONE}, fields: [姓名, 照片]}}]\n", clock)
    apply(province, f"basis: x\nend:\n  agreements: [{ONE}]\n", clock)
    with province.read() as session:
        assert state(session, clock) == "ended"
        assert state(session, clock, minutes=30) == "in force"
    with pytest.raises(NotInRegister):
        sign(province, "yan-police", clock)


def test_what_was_signed_is_the_content_and_a_change_takes_both_again(province: Database, clock: ManualClock) -> None:
    sign(province, "yan-police", clock)
    clock.advance(hours=1)
    apply(province, f"basis: x\nchange:\n  agreements: [{{id: {ONE}, purpose: 另一用途}}]\n", clock)
    assert sign(province, "zhang-hr", clock) == "draft"
    clock.advance(hours=1)
    assert sign(province, "yan-police", clock) == "signed"


def test_what_is_being_changed_is_not_signed_meanwhile(province: Database, clock: ManualClock) -> None:
    """The second signature waits for the change, and is then none under what the agreement says now."""
    sign(province, "yan-police", clock)
    clock.advance(hours=1)
    with province.read() as session:
        seen = agreement.content_digest(session, ONE)
    with ThreadPoolExecutor(1) as threads:
        with province.write() as session:
            change.lock(session)
            signing = threads.submit(sign, province, "zhang-hr", clock, digest=seen)
            done, _waits = wait([signing], timeout=0.5)
            assert not done
            text = f"basis: x\nchange:\n  agreements: [{{id: {ONE}, purpose: 另一用途}}]\n"
            asked = changeset.parse_change_set(text, history.whole(session, clock.now()))
            change.apply(session, asked.wanted, actor="lu-security", at=clock.now(), basis=asked.basis)
        with pytest.raises(BadSignature):
            signing.result()
    with province.read() as session:
        assert session.get_one(Agreement, ONE).state == "draft"


def test_whoever_holds_the_post_signs(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        order = Order(PostId("gat-head"), PersonId("cao-police"), "任〔2026〕2号")
        handover.hand_over(session, order, actor="lu-security", now=clock.now())
    with pytest.raises(BadAgreement):
        sign(province, "yan-police", clock)
    assert sign(province, "cao-police", clock) == "draft"


def test_its_term_lapses_and_it_is_not_signed_any_more(province: Database, clock: ManualClock) -> None:
    sign(province, "yan-police", clock)
    sign(province, "zhang-hr", clock)
    clock.advance(days=500)
    with province.read() as session:
        assert state(session, clock) == "lapsed"
    with pytest.raises(BadAgreement, match=r"has signed|term"):
        sign(province, "zhang-hr", clock)
