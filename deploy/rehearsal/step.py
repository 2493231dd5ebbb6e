"""One step of a rehearsal: what is expected, what was seen, how long, and whether that is the same."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.errors import TrustError

#: A row of a table that a step leaves for the report.
Row = Mapping[str, str]


@dataclass
class Step:
    """A step while it runs and after. ``seen`` collects sentences, ``table`` rows for people; times in seconds.

    ``told`` are the sentences that a row says as well, so that nobody need read them twice.
    """

    number: int
    title: str
    expected: str
    started: float
    seen: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    table: list[Row] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything seen was expected; a step that saw nothing has shown nothing."""
        return bool(self.seen) and not self.faults

    def note(self, sentence: str) -> None:
        """Record what was seen."""
        self.seen.append(sentence)

    def check(self, holds: bool, sentence: str) -> None:
        """Record ``sentence`` as seen, and as a fault when it does not hold."""
        self.seen.append(sentence if holds else f"NOT: {sentence}")
        if not holds:
            self.faults.append(sentence)

    def check_row(self, holds: bool, sentence: str, row: Row) -> None:
        """Check ``sentence``, and show it to people as a row of the step's table."""
        self.check(holds, sentence)
        self.table.append(row)
        self.told.add(self.seen[-1])

    @property
    def prose(self) -> list[str]:
        """What was seen and stands in no row."""
        return [sentence for sentence in self.seen if sentence not in self.told]

    def as_json(self) -> dict[str, str | int | float | bool]:
        """Return the shape that ``guosuo rehearse --json`` promises."""
        return {
            "number": self.number,
            "title": self.title,
            "expected": self.expected,
            "seen": " · ".join(self.seen),
            "seconds": round(self.seconds, 3),
            "ok": self.ok,
        }


class Halted(Exception):
    """A step failed on which everything after it stands."""


class Journal:
    """Runs steps one after the other and tells a listener about each."""

    def __init__(self, *, listener: Callable[[Step, bool], None], monotonic: Callable[[], float]) -> None:
        """``listener`` is called with each step when it begins (``False``) and when it has ended (``True``)."""
        self.steps: list[Step] = []
        self._listener = listener
        self._monotonic = monotonic
        self.began = monotonic()

    @property
    def ok(self) -> bool:
        """Whether every step passed."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @contextmanager
    def step(self, title: str, expected: str, *, vital: bool = False) -> Iterator[Step]:
        """Run one step. An error is a fault with its text; after a failed ``vital`` step the rehearsal halts."""
        step = Step(len(self.steps) + 1, title, expected, self._monotonic() - self.began)
        self.steps.append(step)
        self._listener(step, False)
        begin = self._monotonic()
        try:
            yield step
        except (TrustError, OSError, ValueError, KeyError, AssertionError, TimeoutError) as error:
            step.faults.append(f"{type(error).__name__}: {error}")
            step.note(f"{type(error).__name__}: {error}")
        finally:
            step.seconds = self._monotonic() - begin
            self._listener(step, True)
        if vital and not step.ok:
            raise Halted(step.title)


def wait_for(
    condition: Callable[[], bool], *, seconds: float, monotonic: Callable[[], float] = time.monotonic
) -> float | None:
    """Wait until ``condition`` holds; return after how many seconds it did, or nothing when it did not in time."""
    begin = monotonic()
    while True:
        if condition():
            return monotonic() - begin
        if monotonic() - begin > seconds:
            return None
        time.sleep(0.02)


def missing(expected: Sequence[str], text: str) -> list[str]:
    """Return which of ``expected`` do not occur in ``text``."""
    return [word for word in expected if word not in text]
