"""Kills of whoever sends notices, with a real relay that survives: sent twice under one id perhaps, lost never."""

from datetime import datetime, timedelta

from sqlmodel import Session, SQLModel, select

from core.database import Database
from core.duty import duty
from core.notice import trial
from core.notice.mail import Mail
from core.notice.models import Notice
from core.notice.outbox import Outbox
from core.notice.settings import MailSettings, NoticeSettings
from core.registry.models import Person
from tests.clock import ManualClock
from tests.crash.nursery import Say
from tests.people import enter_province

#: Posts whose holders have a mailbox; each is told once.
POSTS = ("czt-head", "czt-operations", "bgt-head")
START = datetime.fromisoformat("2026-11-20T08:00:00+00:00")


def prepare(url: str) -> None:
    """Make a store with the province in it."""
    database = Database(url)
    SQLModel.metadata.create_all(database.engine)
    with database.write() as session:
        enter_province(session, START - timedelta(days=1))
        for person in session.exec(select(Person)):
            person.contact = f"{person.id}@beichen.example"
    database.close()


def outbox(database: Database, clock: ManualClock, port: int) -> Outbox:
    values = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "guosuo@site.example"}
    channels = [Mail(MailSettings.model_validate(values))]
    return Outbox(database=database, clock=clock, channels=channels, settings=NoticeSettings(), site="guosuo")


def work(url: str, port: int, _say: Say) -> None:
    """Raise a duty, compose, send, and try the way out; three times."""
    database, clock = Database(url), ManualClock(START)
    box = outbox(database, clock, port)
    for number, post in enumerate(POSTS):
        with database.write() as session:
            burden(session, number, post, clock)
        box.compose()
        box.send()
        trial.run(box, database, clock, post=post, actor="he-sysadmin")


def burden(session: Session, number: int, post: str, clock: ManualClock) -> None:
    duty.raise_duty(
        session,
        kind="proposal",
        object_=f"proposal:{number}",
        title=f"title {number}",
        post=post,
        domain="outer-finance",
        due=None,
        at=clock.now(),
        actor="test",
    )


def repair(url: str, port: int) -> list[Notice]:
    """Do what the worker does by itself, ten minutes later; return every message."""
    database, clock = Database(url), ManualClock(START)
    box = outbox(database, clock, port)
    clock.advance(minutes=10)
    box.compose()
    box.send()
    with database.read() as session:
        found = list(session.exec(select(Notice)))
        waiting = {one.post for one in duty.waiting(session)}
    database.close()
    assert {one.post for one in found} == waiting
    return found


#: How often each point is passed.
NOTICE_SCENARIOS = {
    "core.notice.outbox.Outbox.compose#1": 3,
    **{f"core.notice.outbox.Outbox.send#{number}": 3 for number in (1, 2, 3)},
    **{f"core.notice.trial.run#{number}": 3 for number in (1, 2)},
}
