"""Ends that draw near become duties at 30, 7 and 1 days, and are settled when they are renewed, gone or past."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.duty import duty, escalation, survey
from core.identity import SITE
from core.registry.models import Agreement, RoleAssignment

_ACTOR = "device:trust"


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends: ``object`` as evidence names it, ``title`` for people, who answers, and when it ends."""

    object: str
    title: str
    post: str
    domain: str
    end: datetime


def tell(session: Session, kind: str, endings: Iterable[Ending], now: datetime) -> None:
    """Raise or remind a duty for each ending that draws near, and settle those of ``kind`` that no longer do."""
    near = {one.object: one for one in endings if escalation.stage(one.end, now) is not None}
    over = {one.object for one in duty.waiting(session) if one.kind == kind} - set(near)
    # In their one order, see ``duty.in_turn``.
    for object_ in sorted({*near, *over}):
        if object_ in over:
            duty.settle(session, kind=kind, object_=object_, actor=_ACTOR, at=now)
        else:
            _tell_one(session, kind, near[object_], now)


def _tell_one(session: Session, kind: str, one: Ending, now: datetime) -> None:
    reached = escalation.stage(one.end, now)
    assert reached is not None
    duty.raise_duty(
        session,
        kind=kind,
        object_=one.object,
        title=one.title,
        post=one.post,
        domain=one.domain,
        due=escalation.deadline(one.end, reached),
        at=now,
        actor=_ACTOR,
        stage=str(reached),
    )


def tell_roles(session: Session, now: datetime) -> None:
    """Tell of the roles that end by themselves."""
    statement = select(RoleAssignment).where(RoleAssignment.since <= now, col(RoleAssignment.until) > now)
    rows = session.exec(statement.order_by(col(RoleAssignment.number))).all()
    tell(session, "role-expiry", [_ending(session, row) for row in rows if row.until is not None], now)


def tell_agreements(session: Session, now: datetime) -> None:
    """Tell of the sharing agreements whose term ends."""
    statement = select(Agreement).where(col(Agreement.ended_at).is_(None), Agreement.until >= now)
    endings = [
        Ending(
            f"agreement:{row.id}",
            f"共享协议即将到期 · agreement {row.id} ends on {row.until:%Y-%m-%d}",
            row.in_charge_post,
            SITE,
            row.until,
        )
        for row in session.exec(statement.order_by(Agreement.id))
    ]
    tell(session, "agreement-expiry", endings, now)


def _ending(session: Session, row: RoleAssignment) -> Ending:
    assert row.until is not None
    title = f"角色即将到期 · role {row.role} of {row.person} in {row.domain} ends on {row.until:%Y-%m-%d}"
    post = survey.operating_post(session, row.domain)
    return Ending(f"role:{row.domain}/{row.role}/{row.person}", title, post, row.domain, row.until)
