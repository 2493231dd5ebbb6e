"""When a post is told, and what: one digest in a period, at once for what is urgent, bounded always. Pure.

Titles and ids only: a duty's title names nothing classified, and nothing else of a duty leaves the building.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import to_rfc3339
from core.notice.message import Message
from core.text import clean

#: Most duties that one message lists; the others are counted.
MOST = 50

#: What is urgent is told at once, but no post is told anything more often than this.
PAUSE = timedelta(minutes=15)

#: Kinds of duties that do not wait for the period.
URGENT = frozenset({"alert", "blind-window", "failed-drill", "incident"})

_LONGEST_TITLE = 200
_LONGEST_SUBJECT = 160


@dataclass(frozen=True, slots=True)
class Told:
    """One duty as a digest tells it; ``moved`` is when it was raised, or escalated to this post."""

    id: str
    kind: str
    title: str
    due: datetime | None
    overdue: bool
    moved: datetime


@dataclass(frozen=True, slots=True)
class Addressee:
    """A post: its id, its title, and the address of who holds it (empty: none is known)."""

    post: str
    title: str
    address: str


@dataclass(frozen=True, slots=True)
class Mark:
    """When a post was told last: by a digest, and at all (nothing: never)."""

    digest_at: datetime | None = None
    told_at: datetime | None = None


def is_due(mark: Mark, duties: Sequence[Told], now: datetime, period: timedelta) -> bool:
    """Whether a digest is due: something waits, the period since the last one is over, and the post was not just told.

    What is urgent lists everything that waits: the same again a moment later would tell nothing.
    """
    over = mark.digest_at is None or now - mark.digest_at >= period
    return bool(duties) and over and _may_be_told(mark, now)


def is_urgent(mark: Mark, duties: Sequence[Told], now: datetime) -> bool:
    """Whether something urgent is new since the post was told last, and that is long enough ago."""
    new = (one for one in duties if mark.told_at is None or one.moved > mark.told_at)
    return _may_be_told(mark, now) and any(_presses(one) for one in new)


def compose(
    to: Addressee, duties: Sequence[Told], now: datetime, *, identifier: str, urgent: bool, site: str
) -> Message:
    """Return the message that tells ``to`` of ``duties``, in their order."""
    late = sum(one.overdue for one in duties)
    post = f"{to.title} ({to.post})"
    subject = f"[{site}] {len(duties)} 项职责待办 · {len(duties)} duties wait for {post}"
    lines = [
        clean(f"岗位 · post: {post}", _LONGEST_TITLE),
        f"待办 {len(duties)} 项，逾期 {late} 项 · {len(duties)} duties wait, {late} are overdue",
        "",
        *(_line(one) for one in duties[:MOST]),
    ]
    if len(duties) > MOST:
        lines.append(f"… 另有 {len(duties) - MOST} 项 · and {len(duties) - MOST} more")
    lines += ["", "处理 · to act: guosuo duty list --mine"]
    return Message(
        id=identifier,
        post=to.post,
        subject=clean(subject, _LONGEST_SUBJECT),
        lines=tuple(lines),
        count=len(duties),
        urgent=urgent,
        at=now,
        address=to.address,
    )


def trial(to: Addressee, now: datetime, *, identifier: str, site: str) -> Message:
    """Return a message that proves a way out and tells nothing."""
    subject = clean(f"[{site}] 通知测试 · test of notices for {to.title} ({to.post})", _LONGEST_SUBJECT)
    lines = ("这是一封测试通知，无需处理。", "This is a test. There is nothing to do.")
    return Message(identifier, to.post, subject, lines, 0, False, now, to.address)


def _may_be_told(mark: Mark, now: datetime) -> bool:
    return mark.told_at is None or now - mark.told_at >= PAUSE


def _presses(one: Told) -> bool:
    return one.overdue or one.kind in URGENT


def _line(one: Told) -> str:
    mark = "!" if one.overdue else "-"
    due = f" · 期限 due {to_rfc3339(one.due)}" if one.due else ""
    return f"{mark} {clean(one.title, _LONGEST_TITLE)}{due} · {one.id}"
