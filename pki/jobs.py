"""Background work of certificates: lists that never lapse, and intentions that are never left open."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from pki import bulk, expiry, plan, revocation
from pki.crl import CrlPublisher

#: After so long an intention without outcome is given up: no signature takes a tenth of that.
_PATIENCE = timedelta(minutes=2)

#: Transactions in one run of an order: the other jobs wait no longer than a few seconds.
_STEPS = 20


def jobs(database: Database) -> list[Job]:
    """Return the jobs of this package that can wait."""

    def give_up(now: datetime) -> None:
        with database.write() as session:
            revocation.resume(session, before=now - _PATIENCE, at=now)
        # A crash here leaves serial numbers that are revoked and not yet listed: the job below publishes their list.

    def release(now: datetime) -> None:
        with database.write() as session:
            revocation.release_ended(session, now)
        # A crash here leaves certificates that are good again and still listed: the job below publishes their list.

    def go_on(now: datetime) -> None:
        with database.read() as session:
            orders = bulk.open_orders(session)
        for identifier in orders[:1] * _STEPS:
            with database.write() as session:
                made = bulk.step(session, identifier, now)
            # A crash here leaves an order that is carried out in part: the next run goes on with the rest.
            if made.state != "open":
                break

    def waits() -> bool:
        with database.read() as session:
            return bool(bulk.open_orders(session))

    def tell_expiry(now: datetime) -> None:
        with database.write() as session:
            expiry.tell(session, now)

    return [
        Job("pki.certificate.expiry", timedelta(minutes=10), tell_expiry),
        Job("pki.revocation.bulk", timedelta(seconds=1), go_on, wanted=waits),
        Job("pki.hold.release", timedelta(seconds=5), release),
        Job("pki.issuance.resume", timedelta(minutes=1), give_up),
    ]


def renewal(renew: Callable[[], bool]) -> list[Job]:
    """Return the job that renews the responder's certificate before it ends."""

    def run(_now: datetime) -> None:
        renew()

    return [Job("pki.responder.renew", timedelta(hours=1), run)]


def making(database: Database, make: Callable[[], Sequence[str]]) -> list[Job]:
    """Return the job that makes the authorities that two people agreed on."""

    def run(_now: datetime) -> None:
        make()

    def waits() -> bool:
        with database.read() as session:
            return bool(plan.unfinished(session))

    return [Job("pki.authority.make", timedelta(seconds=5), run, wanted=waits)]


def publishing(publisher: CrlPublisher) -> list[Job]:
    """Return the job that publishes lists: whenever something is not listed yet, or a list is past its half-life."""

    def publish(_now: datetime) -> None:
        publisher.refresh()

    # A worker that was killed holds the others up no longer than its lease; two at once only use two numbers.
    return [Job("pki.crl.publish", timedelta(0), publish, lease=timedelta(seconds=10), wanted=publisher.is_due)]
