"""How a site's background work stands: what failed the last time, what does not run; read, never changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, select

from core.clock import to_rfc3339
from core.database import Database
from core.errors import TrustError
from core.jobs import JobLease
from core.ledger.witnessing import progress
from deploy.doctor import Finding
from pki import watch

#: A job is late when it did not begin for so many of its periods, and for as long as another may keep it waiting.
PERIODS, WAITS = 5, timedelta(minutes=15)

_EXPECTED = "it runs, and its last run went well"
_CURE = "it is tried again by itself; if this stays, see the part that is named"
_IDLE = "see that `guosuo serve` runs, and what its worker printed"


def inspect(
    database: Database, now: datetime, periods: Mapping[str, timedelta], witnesses: Collection[str]
) -> list[Finding]:
    """Return a finding for every job and witness that is configured; what is no longer says nothing.

    ``periods`` are those of the jobs by name, ``witnesses`` the names of the keys that are asked. Raises
    ``Unavailable`` when the store does not answer.
    """
    with database.read() as session:
        return [*_jobs(session, now, periods), *_witnesses(session, witnesses), *_status(session, now)]


def witnesses(asked: Callable[[], Collection[str]]) -> tuple[Collection[str], list[Finding]]:
    """Return who is ``asked`` to witness our log; nobody, and a finding, when the trust policy cannot be read."""
    try:
        return asked(), []
    except TrustError as error:
        cure = error.hint or "mend the file that `policy` in [witness] names"
        return (), [Finding("trust policy", False, error.detail, "who witnesses our log can be read", cure)]


def _jobs(session: Session, now: datetime, periods: Mapping[str, timedelta]) -> Sequence[Finding]:
    known = {row.name: row for row in session.exec(select(JobLease))}
    return [_job(name, known.get(name), every, now) for name, every in sorted(periods.items())]


def _job(name: str, row: JobLease | None, every: timedelta, now: datetime) -> Finding:
    name = f"job {name}"
    if row is None or row.last_started is None:
        return Finding(name, False, "it never ran", _EXPECTED, _IDLE)
    begun = to_rfc3339(row.last_started)
    if row.expires is not None and row.expires < now:
        return Finding(name, False, f"it began at {begun} and did not end in its time", _EXPECTED, _IDLE)
    if now - row.last_started > PERIODS * every + WAITS:
        return Finding(name, False, f"it did not run since {begun}", _EXPECTED, _IDLE)
    return _finding(name, row.last_error, to_rfc3339(row.last_finished) if row.last_finished else "running")


def _witnesses(session: Session, names: Collection[str]) -> Sequence[Finding]:
    known = {row.witness: row for row in progress(session)}
    found = []
    for name in sorted(names):
        row = known.get(name)
        if row is None:
            found.append(Finding(f"witness {name}", False, "it was never asked", _EXPECTED, _IDLE))
        else:
            found.append(_finding(f"witness {name}", row.error, f"{row.size} records at {to_rfc3339(row.tried_at)}"))
    return found


def _status(session: Session, now: datetime) -> Sequence[Finding]:
    cure = "is `guosuo serve` running? see the jobs pki.crl.publish and pki.responder.renew above"
    return [
        Finding(one.name, one.ok, one.found, one.expected, "" if one.ok else cure) for one in watch.look(session, now)
    ]


def _finding(name: str, error: str, found: str) -> Finding:
    return Finding(name, not error, error or found, _EXPECTED, _CURE if error else "")
