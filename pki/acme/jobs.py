"""Background work of ACME: orders that lost whoever worked at them, tables that stay small, machines to look at."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, or_, select

from core.database import Database
from core.jobs import Job
from core.registry.credential import Credential
from pki.acme import finalize
from pki.acme.models import AcmeAuthorization, AcmeChallenge, AcmeKey, AcmeNonce, AcmeOrder, AcmeRenewal
from pki.acme.state import State
from pki.acme.validation import Validation

#: How long orders and keys stay after they have ended, and most orders that one run removes.
_KEPT, _MOST = timedelta(days=7), 1_000


def jobs(database: Database) -> list[Job]:
    """Return what is our own work."""

    def resume(now: datetime) -> None:
        with database.write() as session:
            finalize.resume(session, now)
        # A crash here leaves orders that have come to their end and whose clients were not told: they ask again.

    def remove(now: datetime) -> None:
        with database.write() as session:
            tidy(session, now)
        # A crash here leaves what is left: nothing but what has ended was removed.

    return [
        Job("pki.acme.resume", timedelta(minutes=1), resume),
        Job("pki.acme.tidy", timedelta(minutes=10), remove),
    ]


def outward(validation: Validation) -> list[Job]:
    """Return what waits for machines: it holds nothing else up."""

    def look(_now: datetime) -> None:
        validation.run()

    return [Job("pki.acme.validate", timedelta(seconds=1), look)]


def tidy(session: Session, now: datetime) -> None:
    """Remove used nonces, orders, keys and moved windows that ended; the evidence keeps what happened."""
    connection = session.connection()
    connection.execute(delete(AcmeNonce).where(col(AcmeNonce.ends_at) <= now))
    stale = select(AcmeOrder.id).where(
        col(AcmeOrder.ends_at) <= now - _KEPT, AcmeOrder.status != State.PROCESSING.value
    )
    orders = session.exec(stale.order_by(col(AcmeOrder.ends_at)).limit(_MOST)).all()
    above = select(AcmeAuthorization.id).where(col(AcmeAuthorization.order).in_(orders))
    connection.execute(delete(AcmeChallenge).where(col(AcmeChallenge.authorization).in_(above)))
    connection.execute(delete(AcmeAuthorization).where(col(AcmeAuthorization.order).in_(orders)))
    connection.execute(delete(AcmeOrder).where(col(AcmeOrder.id).in_(orders)))
    unused = or_(AcmeKey.state == "open", AcmeKey.state == "withdrawn")
    connection.execute(delete(AcmeKey).where(col(AcmeKey.ends_at) <= now - _KEPT, unused))
    ended = select(Credential.serial).where(Credential.not_after <= now)
    connection.execute(delete(AcmeRenewal).where(col(AcmeRenewal.serial).in_(ended)))
