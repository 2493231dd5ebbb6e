"""What of certificates waits for one person, and what of theirs ends; read, never changed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.errors import TrustError
from core.identity import Principal
from core.registry.credential import Credential, CredentialState
from pki import deskstate
from pki.console import examination
from pki.deskstate import State
from pki.models import DeskRequest

#: An end that is nearer than this is told.
NEAR = timedelta(days=30)

#: Most open requests that are looked through: a desk with more is behind in any case.
_MOST = 500


def decidable(session: Session, who: str) -> list[DeskRequest]:
    """Return the requests that ``who`` could approve, the oldest first; their office is asked for before."""
    waiting = col(DeskRequest.state).in_([State.SUBMITTED.value, State.CHECKED.value, State.APPROVED.value])
    rows = session.exec(select(DeskRequest).where(waiting).order_by(col(DeskRequest.filed_at)).limit(_MOST))
    return [row for row in rows if _could(row, who)]


def returned(session: Session, who: str) -> Sequence[DeskRequest]:
    """Return the requests that were returned to ``who``, the oldest first."""
    statement = select(DeskRequest).where(DeskRequest.state == State.RETURNED.value, DeskRequest.requester == who)
    return session.exec(statement.order_by(col(DeskRequest.filed_at)).limit(_MOST)).all()


def certificates(session: Session, principal: Principal, at: datetime) -> Sequence[Credential]:
    """Return the holder's good certificates, the first to end first."""
    statement = select(Credential).where(
        Credential.holder_kind == principal.kind.value,
        Credential.holder == principal.identifier,
        Credential.state == CredentialState.GOOD.value,
        Credential.not_after > at,
    )
    return session.exec(statement.order_by(col(Credential.not_after), col(Credential.serial))).all()


def _could(row: DeskRequest, who: str) -> bool:
    try:
        deskstate.approve(examination.standing_of(row), who)
    except TrustError:
        return False
    return True
