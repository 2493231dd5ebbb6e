"""The outbox: a message is written down with what it tells, then sent, then its outcome is written down.

A crash between may send a message twice, under the same id, and never loses one.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core.clock import Clock
from core.database import Database
from core.duty import duty, escalation, survey
from core.duty.models import Duty
from core.identity import SITE
from core.ledger import evidence
from core.notice import digest, events, schedule
from core.notice.channel import Channel
from core.notice.digest import Addressee, Mark, Told
from core.notice.errors import DeliveryFailed
from core.notice.message import Message
from core.notice.models import Notice, NoticeMark, NoticeState
from core.notice.settings import NoticeSettings
from core.registry.models import Person, Post
from core.text import clean

#: Most messages that one run sends: it ends within its lease also when every one takes all its time.
BATCH = 20

_FAILED = "failed-delivery"


class Outbox:
    """Composes digests and sends them by every configured way; ``site`` is what the installation is called."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        channels: Sequence[Channel],
        settings: NoticeSettings,
        site: str,
    ) -> None:
        """Send by ``channels``."""
        self._database = database
        self._clock = clock
        self.channels = {channel.name: channel for channel in channels}
        self._settings = settings
        self.site = site

    def compose(self) -> int:
        """Write down the messages that are due, one a post and way out; return how many."""
        if not self.channels:
            return 0
        now = self._clock.now()
        with self._database.write() as session:
            waiting = duty.waiting(session)
            posts = {post for one in waiting for post in (one.post, one.escalated_post) if post}
            held = survey.holders(session, now)
            return sum(self._compose_for(session, post, waiting, held, now) for post in sorted(posts))
        # A crash here leaves messages in the outbox: the next run sends them.

    def send(self) -> int:
        """Send what is due, one by one; return how many were taken."""
        taken = 0
        for _ in range(BATCH):
            notice = self._begin()
            if notice is None:
                break
            # A crash here leaves a message that counts as tried and may not be sent: it is tried again when its hold
            # ends.
            receipt, error = self._deliver(notice)
            # A crash here leaves a message that was sent and is not known to be: it is sent again, under the same id.
            self._end(notice, receipt, error)
            # A crash here leaves a message whose outcome is on record: the next run goes on with the others.
            taken += error is None
        return taken

    def _compose_for(
        self, session: Session, post: str, waiting: Sequence[Duty], held: Mapping[str, str], now: datetime
    ) -> int:
        mine = [_told(one, post, now) for one in waiting if post in (one.post, one.escalated_post)]
        row = session.get(NoticeMark, post, with_for_update=True) or NoticeMark(post=post)
        mark = Mark(row.digest_at, row.told_at)
        regular, urgent = digest.is_due(mark, mine, now, self._settings.period), digest.is_urgent(mark, mine, now)
        if not regular and not urgent:
            return 0
        row.told_at = now
        row.digest_at = now if regular else row.digest_at
        session.add(row)
        to = addressee(session, post, held.get(post, ""))
        chosen = [one for one in self.channels.values() if to.address or not one.personal or post in held]
        for channel in chosen:
            message = digest.compose(to, mine, now, identifier=secrets.token_hex(16), urgent=urgent, site=self.site)
            _enter(session, channel, message)
        return len(chosen)

    def _begin(self) -> Notice | None:
        """Take the oldest message that is due and hold it, so that nobody else sends it meanwhile."""
        now = self._clock.now()
        with self._database.write() as session:
            statement = select(Notice).where(Notice.state == NoticeState.WAITING.value, Notice.next_attempt <= now)
            statement = statement.where(col(Notice.channel).in_(self.channels))
            ordered = statement.order_by(col(Notice.next_attempt), Notice.id).limit(1)
            found = session.exec(ordered.with_for_update(skip_locked=True)).first()
            if found is not None:
                found.attempts += 1
                found.next_attempt = now + schedule.HOLD
                session.add(found)
            return found

    def _deliver(self, notice: Notice) -> tuple[str, DeliveryFailed | None]:
        try:
            return self.channels[notice.channel].send(_message(notice)), None
        except DeliveryFailed as error:
            return "", error

    def _end(self, notice: Notice, receipt: str, error: DeliveryFailed | None) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            row = session.get_one(Notice, notice.id, with_for_update=True)
            if error is None:
                _conclude(session, row, receipt, now)
            elif schedule.is_over(row.attempts, self._settings.attempts, for_good=error.for_good):
                _give_up(session, row, error, now)
            else:
                row.error, row.next_attempt = clean(error.detail, 300), now + schedule.pause(row.attempts)
                session.add(row)


def addressee(session: Session, post: str, holder: str) -> Addressee:
    """Return how a post is addressed: its title, and the address in the register of who holds it."""
    title, person = session.get_one(Post, post).title, session.get(Person, holder)
    return Addressee(post, title, person.contact if person is not None else "")


def notices(session: Session, *, limit: int) -> Sequence[Notice]:
    """Return messages, the newest first."""
    return session.exec(select(Notice).order_by(col(Notice.queued_at).desc(), Notice.id).limit(limit)).all()


def _told(one: Duty, post: str, now: datetime) -> Told:
    moved = one.escalated_at if one.escalated_at is not None and post == one.escalated_post else one.raised_at
    return Told(one.id, one.kind, one.title, one.due, escalation.is_overdue(one.due, now), moved)


def _enter(session: Session, channel: Channel, message: Message) -> None:
    made = Notice(
        id=message.id,
        channel=channel.name,
        post=message.post,
        address=message.address if channel.personal else "",
        subject=message.subject,
        lines="\n".join(message.lines),
        count=message.count,
        urgent=message.urgent,
        queued_at=message.at,
        next_attempt=message.at,
    )
    session.add(made)
    evidence.append(session, events.queued(made), at=message.at)


def _message(notice: Notice) -> Message:
    lines = tuple(notice.lines.split("\n"))
    return Message(
        notice.id, notice.post, notice.subject, lines, notice.count, notice.urgent, notice.queued_at, notice.address
    )


def _conclude(session: Session, row: Notice, receipt: str, now: datetime) -> None:
    row.state, row.receipt, row.error, row.ended_at = NoticeState.SENT.value, clean(receipt, 300), "", now
    session.add(row)
    evidence.append(session, events.sent(row), at=now)
    # The way is open again: whatever was not delivered on it is told by the next digest.
    duty.settle(session, kind=_FAILED, object_=_way(row), actor=events.ACTOR, at=now)


def _give_up(session: Session, row: Notice, error: DeliveryFailed, now: datetime) -> None:
    row.state, row.error, row.ended_at = NoticeState.FAILED.value, clean(error.detail, 300), now
    session.add(row)
    evidence.append(session, events.failed(row), at=now)
    system = survey.site_system(session)
    duty.raise_duty(
        session,
        kind=_FAILED,
        object_=_way(row),
        title=f"通知未送达 · notice {row.id} by {row.channel} to post {row.post} was not delivered",
        post=survey.operating_post(session, SITE),
        domain=system.domain,
        due=now + schedule.MENDED,
        at=now,
        actor=events.ACTOR,
    )


def _way(row: Notice) -> str:
    """Return what a failed delivery is about: one duty a way out, and for mail one a post, however many messages."""
    return f"notice:{row.channel}/{row.post}" if row.address or row.channel == "mail" else f"notice:{row.channel}"
