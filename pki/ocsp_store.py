"""Answers that were signed before, by the octets of their question: found without reading it, dropped when they lie."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from core.identity import Serial
from pki.ocsp_message import Status

#: Most answers that are kept; each has about a thousand octets.
MOST = 20_000


@dataclass(frozen=True)
class Answer:
    """A response (DER) that tells ``status`` of ``serial``; without times when it is for nobody else."""

    content: bytes
    serial: Serial | None = None
    status: Status | None = None
    this_update: datetime | None = None
    next_update: datetime | None = None

    @cached_property
    def tag(self) -> str:
        """Return the entity tag (RFC 5019, 6.2)."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


@dataclass(slots=True)
class _Kept:
    answer: Answer
    asked: int = 0


@dataclass
class Answers:
    """Safe for many threads. The newest ``MOST`` are kept, in the order in which they were asked for last."""

    _kept: OrderedDict[bytes, _Kept] = field(default_factory=OrderedDict)
    _of: dict[Serial | None, set[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _dropped: int = 0

    def find(self, question: bytes, now: datetime) -> Answer | None:
        """Return a kept answer that is still in the first half of its life."""
        with self._lock:
            kept = self._kept.get(question)
            if kept is None or not _is_young(kept.answer, now):
                return None
            kept.asked += 1
            self._kept.move_to_end(question)
            return kept.answer

    def mark(self) -> int:
        """Return a mark to be given to ``keep``: taken before the store is read."""
        return self._dropped

    def keep(self, question: bytes, answer: Answer, mark: int) -> None:
        """Keep an answer, unless something was dropped since ``mark``: what it was made from may be old by now."""
        with self._lock:
            if mark != self._dropped:
                return
            asked = self._kept[question].asked if question in self._kept else 0
            self._kept[question] = _Kept(answer, asked)
            self._kept.move_to_end(question)
            self._of.setdefault(answer.serial, set()).add(question)
            if len(self._kept) > MOST:
                self._forget(next(iter(self._kept)))

    def drop(self, serials: set[Serial]) -> None:
        """Drop what tells of these."""
        with self._lock:
            self._dropped += 1
            for serial in serials:
                for question in tuple(self._of.get(serial, ())):
                    self._forget(question)

    def clear(self) -> None:
        """Drop everything: nobody knows what changed."""
        with self._lock:
            self._dropped += 1
            self._kept.clear()
            self._of.clear()

    def ageing(self, now: datetime, *, most: int) -> list[bytes]:
        """Return questions that were asked again and whose answers have passed two fifths of their life.

        What nobody asked again is forgotten when its answer is too old.
        """
        with self._lock:
            old = [(question, kept) for question, kept in self._kept.items() if _life(kept.answer, now) >= 0.4]
            for question, kept in old:
                if kept.asked == 0 and not _is_young(kept.answer, now):
                    self._forget(question)
            again = [(question, kept) for question, kept in old if kept.asked]
            for _question, kept in again[:most]:
                kept.asked = 0
            return [question for question, _kept in again[:most]]

    def _forget(self, question: bytes) -> None:
        kept = self._kept.pop(question)
        questions = self._of.get(kept.answer.serial, set())
        questions.discard(question)
        if not questions:
            self._of.pop(kept.answer.serial, None)


def _life(answer: Answer, now: datetime) -> float:
    """Return how much of an answer's life is over: 0 when it was made, 1 at its end."""
    assert answer.this_update is not None
    assert answer.next_update is not None
    return (now - answer.this_update) / (answer.next_update - answer.this_update)


def _is_young(answer: Answer, now: datetime) -> bool:
    return 0 <= _life(answer, now) < 0.5
