"""Background work of certificates: lists that never lapse, and intentions that are never left open."""

from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from pki import expiry, revocation
from pki.crl import CrlPublisher

#: After so long an intention without outcome is given up: no signature takes a tenth of that.
_PATIENCE = timedelta(minutes=2)


def jobs(database: Database, publisher: CrlPublisher) -> list[Job]:
    """Return the jobs of this package."""

    def give_up(now: datetime) -> None:
        with database.write() as session:
            revocation.resume(session, before=now - _PATIENCE, at=now)
        # A crash here leaves serial numbers that are revoked and not yet listed: the job below publishes their list.

    def publish(_now: datetime) -> None:
        publisher.refresh()

    def tell_expiry(now: datetime) -> None:
        with database.write() as session:
            expiry.tell(session, now)

    return [
        Job("pki.certificate.expiry", timedelta(minutes=10), tell_expiry),
        Job("pki.issuance.resume", timedelta(minutes=1), give_up),
        # A revocation publishes its list at once; this is for half-life, and for one that failed then.
        Job("pki.crl.publish", timedelta(seconds=2), publish),
    ]
