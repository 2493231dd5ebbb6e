"""What is red and what lapses next: of everybody, or of one person's posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.duty import duty, escalation, orphan, survey
from core.duty.models import Duty
from core.duty.orphan import Orphan

#: Kinds that are red from the beginning: something that others rely on does not work.
ALARMS = frozenset({"blind-window", "failed-delivery", "failed-drill"})

#: How many of what lapses next are told.
NEXT = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """``red`` is overdue or an alarm; ``next`` is what lapses soonest."""

    open: int
    red: tuple[Duty, ...]
    next: tuple[Duty, ...]
    orphans: tuple[Orphan, ...]


def standing(session: Session, now: datetime, *, person: str = "") -> Standing:
    """Return how things stand; for ``person`` only the duties of their posts, and no orphans."""
    waiting: Sequence[Duty] = duty.waiting(session)
    if person:
        posts = duty.posts_of(session, person, now)
        waiting = [one for one in waiting if duty.answers(one, posts)]
    red = tuple(one for one in waiting if one.kind in ALARMS or escalation.is_overdue(one.due, now))
    later = [one for one in waiting if one not in red]
    found = [] if person else orphan.orphans(survey.facts(session, now))
    return Standing(len(waiting), red, tuple(later[:NEXT]), tuple(found))
