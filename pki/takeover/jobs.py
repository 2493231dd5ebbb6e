"""Background work: what two people agreed to take over is brought over, whatever happens between."""

from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from hsm.client import SignerClient
from hsm.models import KeyPurpose
from pki.takeover import authority, carrying, staging
from pki.takeover.models import TakeoverPlan

#: Transactions in one run: the other jobs wait no longer than a few seconds.
_STEPS = 20


def jobs(database: Database, keys: SignerClient) -> list[Job]:
    """Return the job that carries out take-overs."""

    def go_on(now: datetime) -> None:
        with database.read() as session:
            waiting = carrying.open_plans(session)[:1]
            begun = [one for one in waiting if carrying.is_begun(session, one)]
            headers = [staging.header_of(session.get_one(TakeoverPlan, one)) for one in waiting if one not in begun]
        for header in headers:
            keys.adopt(header.key, authority.read(header.der, now).spki, KeyPurpose.CA, enter=True)
        # A crash here leaves a key that is one of ours and signs nothing yet: the next run gets it again.
        for digest in waiting * _STEPS:
            with database.write() as session:
                made = carrying.step(session, digest, now)
            # A crash here leaves a plan that is carried out in part: the next run goes on with the rest.
            if made.state != "open":
                break

    def waits() -> bool:
        with database.read() as session:
            return bool(carrying.open_plans(session))

    return [Job("pki.takeover.run", timedelta(seconds=1), go_on, wanted=waits)]
