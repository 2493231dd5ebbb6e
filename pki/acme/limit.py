"""How much an account may ask for in a while: counted in the store, so that it holds over all workers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from pki.acme.errors import TooMany
from pki.acme.identifier import Identifier
from pki.acme.models import AcmeAuthorization, AcmeOrder
from pki.acme.state import State

#: Orders of an account within an hour; orders of it that wait; and failures of one name within an hour.
ORDERS, WAITING, FAILURES = 100, 50, 10

_HOUR = timedelta(hours=1)


def check_order(session: Session, account: str, identifiers: Sequence[Identifier], at: datetime) -> None:
    """Raise ``TooMany`` unless the account may order this now."""
    own = select(func.count()).select_from(AcmeOrder).where(AcmeOrder.account == account)
    lately = own.where(col(AcmeOrder.made_at) > at - _HOUR)
    if session.exec(lately).one() >= ORDERS:
        raise TooMany(f"{ORDERS} orders within an hour are enough", after=600)
    waiting = own.where(AcmeOrder.status == State.PENDING.value, col(AcmeOrder.ends_at) > at)
    if session.exec(waiting).one() >= WAITING:
        raise TooMany(f"{WAITING} orders of this account wait for their machines", after=600)
    for one in identifiers:
        if _failures(session, account, one, at) >= FAILURES:
            raise TooMany(f"`{one.value}` was not shown {FAILURES} times within an hour", after=3600)


def _failures(session: Session, account: str, one: Identifier, at: datetime) -> int:
    statement = (
        select(func.count())
        .select_from(AcmeAuthorization)
        .join(AcmeOrder, col(AcmeAuthorization.order) == col(AcmeOrder.id))
        .where(
            AcmeOrder.account == account,
            col(AcmeOrder.made_at) > at - _HOUR,
            AcmeAuthorization.kind == one.kind.value,
            AcmeAuthorization.value == one.value,
            AcmeAuthorization.status == State.INVALID.value,
        )
    )
    return session.exec(statement).one()
