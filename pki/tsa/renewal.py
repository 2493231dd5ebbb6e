"""The next generation of the time-stamp authority, made before the present key has had its time."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from core.clock import Clock
from core.database import Database
from core.errors import Conflict
from core.jobs import Job
from hsm.client import SignerClient
from pki import hierarchy, issuer, plan
from pki.issuer import ISSUING, TSA
from pki.settings import PkiSettings
from pki.tsa import generation

#: The next generation is made so long before the present key's last day.
AHEAD = timedelta(days=30)


class Renewal:
    """Makes generations."""

    def __init__(
        self,
        *,
        database: Database,
        keys: SignerClient,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: PkiSettings,
    ) -> None:
        """Prepare; nothing is made yet."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._random = random
        self._settings = settings

    def run(self, *, force: bool = False) -> bool:
        """Make the next generation when it is time, or in any case with ``force``; say whether it did.

        Raises ``NotEstablished`` without an issuing authority, ``Conflict`` when somebody else made it.
        """
        with self._database.read() as session:
            number = generation.newest_number(session)
            above = plan.newest(plan.serving(session), ISSUING).name
            last_day = issuer.load(session, above, self._keys).certificate.not_valid_after_utc
            until = generation.current(session, self._clock.now()).until if number else None
        if not force and until is not None and not self._is_due(until, last_day):
            return False
        name = f"{TSA}-{number + 1}"
        try:
            hierarchy.make(name, self._database, self._keys, self._clock, random=self._random, settings=self._settings)
        except IntegrityError as error:
            # What was intended for it here is given up, and its serial number revoked, as after a crash.
            raise Conflict(f"`{name}` was made by somebody else at the same moment", hint="look again") from error
        return True

    def _is_due(self, until: datetime, last_day: datetime) -> bool:
        """Nothing is gained by another key when the issuing authority's own certificate ends first."""
        return until - self._clock.now() <= AHEAD and until < last_day


def job(renewal: Renewal) -> Job:
    """Return the job that looks every hour, and after a failure again an hour later: it has thirty days."""

    def run(_now: datetime) -> None:
        renewal.run()

    return Job("pki.tsa.renew", timedelta(hours=1), run)
