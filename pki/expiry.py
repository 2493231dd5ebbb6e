"""Certificates that end soon become duties at 30, 7 and 1 days, until there is a newer one.

A person's own is a duty of the post that the person holds; of who operates the domain when they hold none. A machine's
is one of who operates its system.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, select

from core.duty import duty, escalation, lapse, survey
from core.duty.lapse import Ending
from core.identity import SubjectKind
from core.registry.credential import Credential, CredentialState

KIND = "certificate-expiry"


def tell(session: Session, now: datetime) -> None:
    """Raise, remind and settle the duties of certificates that end."""
    horizon = now + timedelta(days=max(escalation.STAGES))
    statement = select(Credential).where(
        Credential.state == CredentialState.GOOD.value,
        Credential.not_after >= now,
        Credential.not_after <= horizon,
        Credential.holder_kind != SubjectKind.BOOTSTRAP.value,
    )
    near = [row for row in session.exec(statement.order_by(Credential.serial)) if _is_old(row, now)]
    lapse.tell(session, KIND, [_ending(session, row, now) for row in near if not _is_renewed(session, row)], now)


def _is_old(row: Credential, now: datetime) -> bool:
    """Whether two thirds of its life are over: a certificate for a day is not about to lapse when it is made."""
    return now - row.not_before >= (row.not_after - row.not_before) * 2 / 3


def _is_renewed(session: Session, row: Credential) -> bool:
    """Whether the holder has a good certificate of the same profile that ends later."""
    statement = select(Credential.serial).where(
        Credential.holder_kind == row.holder_kind,
        Credential.holder == row.holder,
        Credential.profile == row.profile,
        Credential.state == CredentialState.GOOD.value,
        Credential.not_after > row.not_after,
    )
    return session.exec(statement).first() is not None


def _ending(session: Session, row: Credential, now: datetime) -> Ending:
    if row.holder_kind == SubjectKind.PERSON.value:
        post, domain = _own_post(session, row.holder, now) or survey.operating_post(session, row.domain), row.domain
    else:
        post, domain = survey.device_post(session, row.holder)
    title = f"证书即将到期 · certificate {row.serial} of {row.holder} ends on {row.not_after:%Y-%m-%d}"
    return Ending(f"certificate:{row.serial}", title, post, domain, row.not_after)


def _own_post(session: Session, person: str, now: datetime) -> str:
    """Return the post that a person holds (of several the first by its id), or nothing."""
    return min(duty.posts_of(session, person, now), default="")
