"""How a site's background work stands: what failed the last time, whom nobody has heard from; read, never changed."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, select

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.jobs import JobLease
from core.ledger.witnessing import progress
from deploy.doctor import Finding
from pki import watch

_EXPECTED = "its last run went well"
_CURE = "it is tried again by itself; if this stays, see the part that is named"


def inspect(database: Database, clock: Clock) -> list[Finding]:
    """Return a finding for every job that ever ran, every witness that was ever asked, and for certificate status.

    Raises ``Unavailable`` when the store does not answer.
    """
    with database.read() as session:
        return [*_jobs(session), *_witnesses(session), *_status(session, clock.now())]


def _jobs(session: Session) -> Sequence[Finding]:
    return [
        _finding(f"job {row.name}", row.last_error, to_rfc3339(row.last_finished) if row.last_finished else "running")
        for row in session.exec(select(JobLease).order_by(JobLease.name))
    ]


def _witnesses(session: Session) -> Sequence[Finding]:
    return [
        _finding(f"witness {row.witness}", row.error, f"{row.size} records at {to_rfc3339(row.tried_at)}")
        for row in progress(session)
    ]


def _status(session: Session, now: datetime) -> Sequence[Finding]:
    cure = "is `guosuo serve` running? see the jobs pki.crl.publish and pki.responder.renew above"
    return [
        Finding(one.name, one.ok, one.found, one.expected, "" if one.ok else cure) for one in watch.look(session, now)
    ]


def _finding(name: str, error: str, found: str) -> Finding:
    return Finding(name, not error, error or found, _EXPECTED, _CURE if error else "")
