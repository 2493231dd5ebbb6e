"""The right to number records: held by one sequencer at a time, proved by a fencing number inside each transaction."""

from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from core.clock import Clock
from core.database import Database
from core.ledger.errors import Fenced, LeaseHeld
from core.ledger.models import LedgerLease

_NAME = "sequencer"

#: How long a sequencer that went silent keeps others waiting; one of the same owner need not wait.
DURATION = timedelta(seconds=10)


class Lease:
    """One sequencer's claim. Time only decides when others may take over; the fencing number decides who is right."""

    def __init__(self, *, database: Database, clock: Clock, owner: str) -> None:
        """Claim nothing yet."""
        self._database = database
        self._clock = clock
        self._owner = owner
        self._fence = 0
        self._until: datetime | None = None

    def hold(self) -> None:
        """Take the lease or renew it when half of it is over.

        Raises ``LeaseHeld`` while another owner has it, ``Fenced`` for ever after another took ours.
        """
        now = self._clock.now()
        # A clock that was set back makes more of what is left than there ever was: then it is renewed, too.
        if self._until is not None and DURATION / 2 < self._until - now <= DURATION:
            return
        try:
            with self._database.write() as session:
                fence = self._claim(session, now)
        except IntegrityError as error:
            raise LeaseHeld("another sequencer began at the same moment") from error
        # A crash here leaves the lease with us until it ends; the same owner takes it over at once.
        self._fence, self._until = fence, now + DURATION

    def check(self, session: Session) -> None:
        """Lock the lease in the caller's transaction and raise ``Fenced`` unless it is still ours."""
        lease = _locked(session)
        if lease is None or lease.fence != self._fence:
            raise Fenced(f"another sequencer has taken over from `{self._owner}`")

    def _claim(self, session: Session, now: datetime) -> int:
        lease = _locked(session)
        if lease is None:
            session.add(LedgerLease(name=_NAME, owner=self._owner, fence=1, until=now + DURATION))
            return 1
        if self._fence and lease.fence != self._fence:
            raise Fenced(f"`{lease.owner}` has taken over from `{self._owner}`")
        if not self._fence:
            # One that ends later than a lease can last was taken before the clock was set back, and says nothing.
            if lease.owner != self._owner and now < lease.until <= now + DURATION:
                raise LeaseHeld(
                    f"`{lease.owner}` is the sequencer", hint="it hands over ten seconds after it falls silent"
                )
            lease.fence += 1
        lease.owner, lease.until = self._owner, now + DURATION
        session.add(lease)
        return lease.fence


def _locked(session: Session) -> LedgerLease | None:
    return session.exec(select(LedgerLease).where(LedgerLease.name == _NAME).with_for_update()).one_or_none()
