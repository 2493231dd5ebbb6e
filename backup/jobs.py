"""Background work of recovery: what the repository's proofs say is told to who operates the site."""

from datetime import datetime, timedelta

from backup import proof
from backup.repository import Repository
from core.database import Database
from core.jobs import Job


def jobs(database: Database, repository: Repository) -> list[Job]:
    """Return the jobs of this package."""

    def tell_proofs(now: datetime) -> None:
        with database.write() as session:
            proof.tell(session, repository, now)

    return [Job("backup.point.prove", timedelta(minutes=5), tell_proofs)]
