"""Tells the responder which certificates' status changed: looked at ten times a second, trusted for 0.4 s.

Read from the changes of the lists (``RevocationChange``): those that no number was taken for, and those of numbers that
are newer than at the last look. A change stays there for a minute at least, so none is missed between two looks.
"""

import threading
import time
from collections.abc import Callable

from sqlmodel import Session, and_, col, func, or_, select

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import Serial
from pki import plan
from pki.issuer import ISSUING
from pki.models import CrlPublication, RevocationChange
from pki.ocsp import OcspResponder
from pki.ocsp_store import Answer

#: Seconds between two looks, for how long one is good, and after how long a pause everything is forgotten.
_EVERY, _GOOD, _LOST = 0.1, 0.4, 30.0

#: Answers that are signed anew at one look at most.
_RENEWED = 50


class Feed:
    """Keeps the responder's answers true, and signs those that are asked often before they are old."""

    def __init__(
        self,
        *,
        database: Database,
        responder: OcspResponder,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``monotonic`` counts seconds and never goes back."""
        self.responder = responder
        self.clock = clock
        self._database = database
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._numbers: dict[str, int] = {}

    def ready(self, content: bytes) -> Answer | None:
        """Return an answer that is signed already and still true; nothing when that cannot be told without asking."""
        if self._monotonic() - self._looked_at > _GOOD:
            return None
        return self.responder.answers.find(content, self.clock.now())

    def look(self) -> None:
        """Drop what is not true any more. Raises ``Unavailable``."""
        begun = self._monotonic()
        if begun - self._looked_at > _LOST:
            self.responder.answers.clear()
        with self._database.read() as session:
            numbers = {one.name: _newest(session, one.name) for one in plan.made(session) if one.kind == ISSUING}
            changed = self._changed(session)
        if changed:
            self.responder.answers.drop(changed)
        self._numbers = numbers
        self._looked_at = begun

    def run(self, stop: threading.Event) -> None:
        """Look and sign until ``stop``. While the store does not answer, every question is put to it."""
        while not stop.wait(_EVERY):
            try:
                self.look()
            except TrustError:
                # What was signed is not trusted for long then, and every question asks the store.
                continue
            try:
                self.responder.renew(self.responder.answers.ageing(self.clock.now(), most=_RENEWED))
            except TrustError:
                # The answers grow old instead: whoever asks then has theirs made, or is told why there is none.
                continue

    def _changed(self, session: Session) -> set[Serial]:
        number, name = col(RevocationChange.number), col(RevocationChange.issuer)
        told = [and_(name == one, number > newest) for one, newest in self._numbers.items()]
        # Of an authority that was not known at the last look, whatever there is.
        unknown = name.not_in([*self._numbers])
        statement = select(RevocationChange.serial).where(or_(number.is_(None), unknown, *told))
        return {Serial(one) for one in session.exec(statement)}


def _newest(session: Session, name: str) -> int:
    statement = select(func.max(CrlPublication.number)).where(CrlPublication.issuer == name)
    return session.exec(statement).one() or 0
