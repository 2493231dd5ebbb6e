"""The outbox: one digest for a post, urgent at once, nothing lost, and a way out that fails is a duty of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from core.database import Database
from core.duty import duty, jobs
from core.errors import Unavailable
from core.ledger.models import EvidenceRow
from core.notice import trial
from core.notice.channel import Channel
from core.notice.errors import NoChannel
from core.notice.mail import Mail
from core.notice.models import Notice
from core.notice.outbox import Outbox
from core.notice.settings import MailSettings, NoticeSettings, SyslogSettings
from core.notice.syslog import Syslog
from core.registry.errors import NotInRegister
from core.registry.models import Person
from tests.clock import ManualClock
from tests.failing import FailingDatabase, Failure
from tests.people import enter_province
from tests.services import mail as relays
from tests.services.mail import Relay
from tests.services.site import free_port

WU = "wu@fin.beichen.example"


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
        for person, address in (("wu-ops", WU), ("bai-operator", "bai@mgmt.beichen.example")):
            session.get_one(Person, person).contact = address
    return database


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relays.running() as made:
        yield made


def mail(port: int) -> Mail:
    values = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "guosuo@site.example"}
    return Mail(MailSettings.model_validate(values))


def outbox(database: Database, clock: ManualClock, *channels: Channel, attempts: int = 3) -> Outbox:
    settings = NoticeSettings(period_hours=24, attempts=attempts)
    return Outbox(database=database, clock=clock, channels=channels, settings=settings, site="北辰省")


def burden(session: Session, number: int, clock: ManualClock, *, kind: str = "proposal", post: str = "") -> str:
    return duty.raise_duty(
        session,
        kind=kind,
        object_=f"{kind}:{number}",
        title=f"title {number}",
        post=post or "czt-operations",
        domain="outer-finance",
        due=clock.now() + timedelta(hours=4),
        at=clock.now(),
        actor="test",
    )


def run(box: Outbox) -> int:
    box.compose()
    return box.send()


def rows(database: Database) -> list[Notice]:
    with database.read() as session:
        return list(session.exec(select(Notice).order_by(col(Notice.queued_at), Notice.id)))


def recorded(database: Database) -> list[str]:
    with database.read() as session:
        found = session.exec(select(EvidenceRow).where(col(EvidenceRow.type).startswith("notice.")))
        return [row.type for row in sorted(found, key=lambda row: row.row or 0)]


def waiting(database: Database, kind: str) -> list[tuple[str, str]]:
    with database.read() as session:
        return [(one.post, one.object) for one in duty.waiting(session) if one.kind == kind]


def test_two_hundred_duties_make_one_mail(province: Database, clock: ManualClock, relay: Relay) -> None:
    with province.write() as session:
        for number in range(200):
            burden(session, number, clock)
    box = outbox(province, clock, mail(relay.port))
    assert run(box) == 1
    (found,) = relay.mails
    assert found["to"] == WU
    text = found.get_content()
    assert "200 duties wait" in found["subject"]
    assert "and 150 more" in text
    assert text.count("title") == 50
    clock.advance(hours=23, minutes=59)
    assert run(box) == 0
    clock.advance(minutes=1)
    assert run(box) == 1
    assert recorded(province) == ["notice.message.queued", "notice.message.sent"] * 2


def test_urgent_is_told_at_once_and_again_only_after_a_quarter_of_an_hour(
    province: Database, clock: ManualClock, relay: Relay
) -> None:
    box = outbox(province, clock, mail(relay.port))
    told = []
    for number in range(32):
        with province.write() as session:
            burden(session, number, clock, kind="alert")
        told.append(run(box))
        clock.advance(minutes=1)
    assert [minute for minute, count in enumerate(told) if count] == [0, 15, 30]
    assert [one["importance"] for one in relay.mails] == ["high"] * 3


def test_a_digest_that_falls_due_just_after_something_urgent_waits(
    province: Database, clock: ManualClock, relay: Relay
) -> None:
    box = outbox(province, clock, mail(relay.port))
    told, begun = [], clock.now()
    for minute, kind in ((0, "proposal"), (1439, "alert"), (1440, ""), (1453, ""), (1454, ""), (1455, "")):
        clock.advance(minutes=minute - (clock.now() - begun) / timedelta(minutes=1))
        if kind:
            with province.write() as session:
                burden(session, minute, clock, kind=kind)
        told.append(run(box))
    assert told == [1, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("contact", "answer", "error"),
    [
        ("wu.ops@fin.beichen.example", "550 5.1.1 <{}>: no such user", "550 5.1.1 <(address)>: no such user"),
        ("wu.ops@fin.beichen.example", "550 {} unknown", "550 (address) unknown"),
        ("吴运维, 13800000000", "", "the holder has no address of a mailbox"),
        ("", "", "the holder has no address of a mailbox"),
    ],
)
def test_an_error_names_no_address(
    province: Database, clock: ManualClock, relay: Relay, contact: str, answer: str, error: str
) -> None:
    """Whoever may see what left may not see where somebody is reached."""
    with province.write() as session:
        session.get_one(Person, "wu-ops").contact = contact
        burden(session, 1, clock)
    if answer:
        relay.refuse[contact] = answer.format(contact)
    box = outbox(province, clock, mail(relay.port))
    assert run(box) == 0
    assert rows(province)[0].error == error
    tried = trial.run(box, province, clock, post="czt-operations", actor="he-sysadmin")
    assert [one.said for one in tried] == [error]


def test_nor_where_a_relay_or_receiver_is(province: Database, clock: ManualClock) -> None:
    port = free_port()
    nobody = Syslog(SyslogSettings(host="127.0.0.1", port=port, transport="tcp"), host="here")
    done = trial.run(outbox(province, clock, mail(port), nobody), province, clock, post="czt-operations", actor="he")
    assert [one.said.split(":")[0] for one in done] == ["the relay did not take it", "the receiver did not take it"]
    assert all("127.0.0.1" not in one.said and str(port) not in one.said for one in done)


def test_what_is_overdue_is_told_to_the_post_in_charge(province: Database, clock: ManualClock, relay: Relay) -> None:
    with province.write() as session:
        session.get_one(Person, "zhou-head").contact = "zhou@fin.beichen.example"
        burden(session, 1, clock)
    box = outbox(province, clock, mail(relay.port))
    assert run(box) == 1
    clock.advance(hours=4, seconds=1)
    with province.write() as session:
        assert jobs.escalate(session, clock.now()) == 1
    run(box)
    assert [one["to"] for one in relay.mails] == [WU, "zhou@fin.beichen.example"]


def test_a_busy_relay_is_tried_again_and_nothing_is_lost(province: Database, clock: ManualClock, relay: Relay) -> None:
    relay.busy = 2
    with province.write() as session:
        burden(session, 1, clock)
    box = outbox(province, clock, mail(relay.port))
    assert run(box) == 0
    assert box.send() == 0
    (row,) = rows(province)
    assert (row.state, row.attempts, row.error) == ("waiting", 1, "451 try again later")
    clock.advance(minutes=2)
    assert box.send() == 0
    clock.advance(minutes=2)
    assert box.send() == 0
    clock.advance(minutes=2)
    assert box.send() == 1
    (row,) = rows(province)
    assert (row.state, row.attempts, row.receipt) == ("sent", 3, "250 queued as 1")
    assert waiting(province, "failed-delivery") == []


def test_a_way_out_that_fails_is_a_duty_of_who_operates_the_site(
    province: Database, clock: ManualClock, relay: Relay
) -> None:
    relay.refuse[WU] = "550 nobody here"
    with province.write() as session:
        burden(session, 1, clock)
    box = outbox(province, clock, mail(relay.port))
    assert run(box) == 0
    assert rows(province)[0].state == "failed"
    assert waiting(province, "failed-delivery") == [("xxb-operations", "notice:mail/czt-operations")]
    assert recorded(province)[-1] == "notice.message.failed"
    assert run(box) == 1
    assert relay.mails[-1]["to"] == "bai@mgmt.beichen.example"
    relay.refuse.clear()
    clock.advance(hours=24)
    assert run(box) == 2
    assert waiting(province, "failed-delivery") == []


def test_nobody_answering_is_given_up_after_so_many_attempts(province: Database, clock: ManualClock) -> None:
    settings = SyslogSettings(host="127.0.0.1", port=free_port(), transport="tcp")
    with province.write() as session:
        for number in range(3):
            burden(session, number, clock, post=("czt-operations", "czt-head", "bgt-head")[number])
    box = outbox(province, clock, Syslog(settings, host="here"), attempts=2)
    for _ in range(3):
        assert run(box) == 0
        clock.advance(hours=1)
    assert {row.state for row in rows(province) if row.post != "xxb-operations"} == {"failed"}
    assert waiting(province, "failed-delivery") == [("xxb-operations", "notice:syslog")]


def test_a_holder_without_an_address_is_a_failed_delivery(province: Database, clock: ManualClock, relay: Relay) -> None:
    with province.write() as session:
        burden(session, 1, clock, post="bgt-head")
    box = outbox(province, clock, mail(relay.port))
    assert run(box) == 0
    assert "no address" in rows(province)[0].error
    assert waiting(province, "failed-delivery") == [("xxb-operations", "notice:mail/bgt-head")]


def test_without_a_way_out_nothing_is_written(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        burden(session, 1, clock)
    assert run(outbox(province, clock)) == 0
    assert rows(province) == []
    with pytest.raises(NoChannel):
        trial.run(outbox(province, clock), province, clock, post="", actor="he-sysadmin")


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_store_that_fails_loses_no_message(
    store_url: str, province: Database, clock: ManualClock, relay: Relay, nth: int, how: Failure
) -> None:
    """Composing, taking, and concluding are each broken in both ways."""
    with province.write() as session:
        burden(session, 1, clock)
    with broken(store_url, nth, how) as failing, pytest.raises(Unavailable):
        run(outbox(failing, clock, mail(relay.port)))
    healthy = outbox(province, clock, mail(relay.port))
    run(healthy)
    clock.advance(minutes=2)
    run(healthy)
    (row,) = rows(province)
    assert row.state == "sent"
    ids = {one["message-id"] for one in relay.mails}
    assert ids == {f"<{row.id}@site.example>"}
    assert len(relay.mails) == (2 if (nth, how) == (3, Failure.NOT_APPLIED) else 1)


@contextmanager
def broken(url: str, nth: int, how: Failure) -> Iterator[Database]:
    database = FailingDatabase(url)
    database.arm(nth, how)
    yield database
    database.close()


def test_a_trial_answers_for_every_way_out(province: Database, clock: ManualClock, relay: Relay) -> None:
    nobody = Syslog(SyslogSettings(host="127.0.0.1", port=free_port(), transport="tcp"), host="here")
    box = outbox(province, clock, mail(relay.port), nobody)
    done = trial.run(box, province, clock, post="czt-operations", actor="he-sysadmin")
    assert [(one.channel, one.ok) for one in done] == [("mail", True), ("syslog", False)]
    assert done[0].said == "250 queued as 1"
    assert relay.mails[0]["to"] == WU
    assert recorded(province) == ["notice.channel.tested"]
    with pytest.raises(NotInRegister):
        trial.run(box, province, clock, post="no-such-post", actor="he-sysadmin")
