"""Requests that come at the same time go together: what is done once for all of them costs each of them less.

Whoever comes while a lane is free leads: takes everybody who waits, and carries them. Whoever comes while every lane
is taken waits for the next. So a single request waits for nobody, and no thread stands between.

INVARIANT: while somebody waits every lane is taken. Whoever is to lead is told so with those who go along, who do not
wait any more: no two convoys have one traveller.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from core.errors import TrustError, Unavailable

Load = TypeVar("Load")
Answer = TypeVar("Answer")

#: Convoys on the road at once: one waits for the disk or the token while the other computes.
LANES = 2

#: Most that go together: nobody waits long for those who came with them.
LARGEST = 64


@dataclass(eq=False, slots=True)
class _Traveller(Generic[Load]):
    load: Load
    answer: object = None
    failure: BaseException | None = None
    #: Whom it leads, itself first; nobody when another leads.
    convoy: "Sequence[_Traveller[Load]]" = ()
    #: Held until it is settled, or until it is its turn to lead.
    turn: threading.Lock = field(default_factory=threading.Lock)


class Convoy(Generic[Load, Answer]):
    """Carries loads with ``carry``, which answers each in the same order. Safe for many threads."""

    def __init__(self, carry: Callable[[Sequence[Load]], Sequence[Answer]]) -> None:
        """Begin with free lanes."""
        self._carry = carry
        self._mutex = threading.Lock()
        self._waiting: list[_Traveller[Load]] = []
        self._free = LANES

    def travel(self, load: Load) -> Answer:
        """Return the answer to ``load``. Raises what ``carry`` raises; ``Unavailable`` when others came along."""
        own = _Traveller(load)
        own.turn.acquire()
        with self._mutex:
            if self._free:
                self._free -= 1
                own.convoy = [own]
            else:
                self._waiting.append(own)
        if not own.convoy:
            own.turn.acquire()
        if own.convoy:
            self._lead(own.convoy)
        if own.failure is not None:
            raise own.failure
        return cast("Answer", own.answer)

    def _lead(self, together: Sequence[_Traveller[Load]]) -> None:
        """Carry them, tell each, and give the lane to those who came meanwhile."""
        try:
            self._settle(together)
        finally:
            for one in together[1:]:
                one.turn.release()
            with self._mutex:
                following, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
                if following:
                    following[0].convoy = following
                    following[0].turn.release()
                else:
                    self._free += 1

    def _settle(self, together: Sequence[_Traveller[Load]]) -> None:
        """Carry them; what fails for several is told to each by an error of its own, raised in its own thread."""
        try:
            answers = self._carry([one.load for one in together])
        except BaseException as error:  # noqa: BLE001
            # Not ours to judge: it is raised where the load came from.
            for one in together:
                one.failure = error if len(together) == 1 else _failed(error, len(together))
            return
        for one, answer in zip(together, answers, strict=True):
            one.answer = answer


def _failed(error: BaseException, count: int) -> Unavailable:
    said = error.detail if isinstance(error, TrustError) else "something went wrong"
    failed = Unavailable(f"{count} requests that came together came to nothing: {said}", hint="ask again")
    failed.__cause__ = error
    return failed
