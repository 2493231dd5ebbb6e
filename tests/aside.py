"""Something that is done beside a test, in a thread of its own."""

import threading
import time
from collections.abc import Callable

from sqlmodel import Session

from core.database import Database
from core.errors import TrustError
from core.registry import change
from tests.clock import ManualClock


class Aside:
    """Something that is done beside the test, and what became of it."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.outcome: object = None
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self._act()
        except TrustError as refused:
            self.outcome = refused.word

    def end(self) -> object:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        return self.outcome


def meanwhile(
    database: Database, clock: ManualClock, act: Callable[[Session], object], other: Callable[[Session], object]
) -> object:
    """Ask for ``act`` while ``other`` is done by somebody whose transaction began earlier; return what came of it."""

    def asked() -> object:
        with database.write() as session:
            return act(session)

    with database.write() as session:
        change.lock(session)
        waiting = Aside(asked)
        time.sleep(0.3)
        assert waiting.outcome is None
        clock.advance(seconds=1)
        other(session)
        clock.advance(seconds=1)
    return waiting.end()
