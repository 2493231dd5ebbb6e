"""Questions that an auditor asks, on both stores: from a thing back to all that led there and who answered for it."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlmodel import select

from core.errors import Malformed
from core.ledger import entry, evidence, reference, search, trace
from core.ledger.entry import Event, JsonValue
from core.ledger.lookup import MOST_BEHIND
from core.ledger.models import EvidenceRow
from core.ledger.search import Wanted
from core.ledger.trace import Thing, Trace
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.logs import Log
from tests.people import enter_province

SERIAL, REQUEST, ALERT = "0d" * 20, "5e" * 16, "a1" * 16
FILE = "f0" * 32


@pytest.fixture
def log(log: Log, clock: ManualClock) -> Log:
    """A certificate is issued and used, the use leaks, the certificate is revoked; ten minutes between each."""
    with log.database.write() as session:
        enter_province(session, clock.now())
    person = {"serial": SERIAL, "holder_kind": "person", "holder": "li-wen", "domain": "outer-finance"}
    named = {"serial": SERIAL, "request_id": REQUEST}
    leak = {**named, "at": "2026-11-20T08:35:00.000Z", "person": "li-wen", "file_sha256": FILE, "candidates": [REQUEST]}
    for kind, actor, thing, details in (
        ("pki.issuance.intended", "zhao-ra", f"certificate:{SERIAL}", {"holder": "li-wen"}),
        ("pki.certificate.issued", "zhao-ra", f"certificate:{SERIAL}", person),
        ("authz.decision.made", "li-wen", "system:fin-budget", named),
        ("monitor.leak.found", "device:sensor-1", f"alert:{ALERT}", leak),
        ("pki.certificate.revoked", "lu-security", f"certificate:{SERIAL}", person),
    ):
        clock.advance(minutes=10)
        append(log, kind, actor, thing, details)
    log.sequencer().run_once()
    return log


def append(log: Log, kind: str, actor: str, thing: str, details: dict[str, JsonValue]) -> str:
    with log.database.write() as session:
        return evidence.append(session, Event(kind, actor, thing, "outer-finance", details=details), at=log.clock.now())


def index(log: Log) -> None:
    with log.database.write() as session:
        while reference.index_next(session):
            pass


def ask(log: Log, what: str, at: datetime | None = None) -> Trace:
    with log.database.read() as session:
        return trace.trace(session, custodian.REGISTER, what, at=at or log.clock.now())


def find(found: Trace, name: str) -> Thing:
    return next(thing for thing in found.root.walk() if thing.name == name)


def types(thing: Thing) -> list[str]:
    return [step.type for step in thing.steps]


LIFE = ["pki.issuance.intended", "pki.certificate.issued", "pki.certificate.revoked"]


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("what", [f"alert:{ALERT}", ALERT, FILE, f"sha256:{FILE}"])
def test_from_an_alert_back_to_everybody_who_answers(log: Log, what: str, indexed: bool) -> None:
    if indexed:
        index(log)
    found = ask(log, what)
    assert types(find(found, f"alert:{ALERT}")) == ["monitor.leak.found"]
    assert "authz.decision.made" in types(find(found, f"request:{REQUEST}"))
    assert types(find(found, f"certificate:{SERIAL}")) == LIFE
    assert find(found, "person:li-wen").said == ["李文, 财政厅"]
    assert find(found, "person:zhao-ra").said
    domain = find(found, "domain:outer-finance")
    assert [line.split(" ")[0] for line in domain.said] == ["主管", "运行"]
    posts = [thing for thing in domain.things if thing.kind == "post"]
    assert ["registry.post.filled" in types(post) for post in posts] == [True, True]
    moments = [step.at for step in found.steps]
    assert moments == sorted(moments)
    assert len({step.number for step in found.steps}) == len(found.steps)
    assert found.left_out == []


@pytest.mark.parametrize(
    "what", [SERIAL, f"certificate:{SERIAL}", f"serial:{SERIAL}", f"request:{REQUEST}", REQUEST, "li-wen"]
)
def test_every_end_of_the_thread_leads_to_the_certificate(log: Log, what: str) -> None:
    index(log)
    found = ask(log, what)
    assert {*LIFE} <= {step.type for step in found.steps} or what == "li-wen"
    assert "authz.decision.made" in {step.type for step in found.steps}


def test_from_a_record(log: Log) -> None:
    index(log)
    with log.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "monitor.leak.found")).one()
    for what in (str(row.sequence), f"record:{row.sequence}", f"record:{row.identifier}", row.identifier):
        found = ask(log, what)
        assert types(found.root) == ["monitor.leak.found"], what
        assert types(find(found, f"certificate:{SERIAL}")) == LIFE


def test_as_of_a_time_what_came_later_is_not_known(log: Log, clock: ManualClock) -> None:
    index(log)
    before = clock.now() - timedelta(minutes=5)
    assert types(find(ask(log, SERIAL, before), f"certificate:{SERIAL}"))[:2] == LIFE[:2]
    assert LIFE[2] not in {step.type for step in ask(log, SERIAL, before).steps}


def test_the_officers_are_those_of_then(log: Log, clock: ManualClock) -> None:
    """Whoever holds the post today did not hold it when it leaked."""
    index(log)
    then = find(ask(log, ALERT), "domain:outer-finance").said
    clock.advance(days=30)
    with log.database.write() as session:
        enter_province(session, clock.now())
    assert find(ask(log, ALERT), "domain:outer-finance").said == then


def test_what_nothing_tells_of_is_named(log: Log) -> None:
    append(log, "monitor.leak.found", "device:sensor-1", "alert:1", {"request_id": "00" * 16, "serial": "00" * 20})
    log.sequencer().run_once()
    found = ask(log, "alert:1")
    named = {line.partition(": ")[0] for line in found.unresolved}
    assert f"certificate:{'00' * 20}" in named


def test_what_was_purged_is_named(log: Log) -> None:
    custodian.fill(log)
    seen = custodian.look(log)
    with log.database.write() as session:
        number = seen.ranges[0][0]
        row = session.exec(select(EvidenceRow).where(EvidenceRow.sequence == number)).one()
        custodian.replace(session, row)
    found = ask(log, str(number))
    assert found.steps == []
    assert "was purged" in found.unresolved[0]


@pytest.mark.parametrize(
    "what", ["", " ", "*", "a b", "x" * 300, "alert:", "person:\x00", "DROP TABLE", "../..", "alert:a\nb"]
)
def test_what_names_nothing(log: Log, what: str) -> None:
    with pytest.raises(Malformed, match="names nothing"):
        ask(log, what)


@pytest.mark.parametrize(
    "what", ["alert:%", "person:nobody-here", "99999999", "999999999999999", "0" * 40, "kind:value"]
)
def test_what_nobody_knows_has_no_records(log: Log, what: str) -> None:
    found = ask(log, what)
    assert found.steps == []
    assert found.unresolved


def many(log: Log, count: int) -> None:
    """Enter decisions of one certificate without the sequencer: only the store matters here."""
    now = log.clock.now()
    with log.database.write() as session:
        last = session.exec(select(EvidenceRow.sequence).order_by(EvidenceRow.sequence.desc())).first()  # type: ignore[union-attr]  # a column
        rows = []
        for number in range(count):
            details: dict[str, JsonValue] = {"serial": SERIAL, "request_id": f"{number:032x}"}
            event = Event("authz.decision.made", "li-wen", "system:fin-budget", "outer-finance", details=details)
            rows.append(
                {
                    "identifier": f"{number:032x}",
                    "at": now,
                    "type": event.type,
                    "actor": event.actor,
                    "object": event.object,
                    "domain": event.domain,
                    "result": event.result,
                    "content": entry.encode(event, identifier=f"{number:032x}", at=now),
                    "sequence": (last or 0) + 1 + number,
                }
            )
        session.execute(insert(EvidenceRow), rows)


def test_a_long_log_answers_at_once(log: Log) -> None:
    """The bound is generous: on an idle machine 100,000 records take some hundredths of a second (see the bench)."""
    many(log, 10_000)
    index(log)
    started = time.perf_counter()
    found = ask(log, ALERT)
    assert time.perf_counter() - started < 1
    assert types(find(found, f"certificate:{SERIAL}")) == LIFE
    assert found.left_out == []
    used = ask(log, SERIAL)
    assert used.root.more > 9_000
    assert {*LIFE} <= {step.type for step in used.root.steps}, "what it is about comes first, however often it was used"
    assert len(list(used.root.walk())) <= trace.MOST_THINGS


def test_an_index_that_is_far_behind_says_so(log: Log) -> None:
    many(log, MOST_BEHIND + 100)
    assert "index is behind" in ask(log, ALERT).left_out[0]


def test_references_of_a_record(log: Log) -> None:
    with log.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "monitor.leak.found")).one()
    assert reference.references_of(row) == {
        f"of record:{row.identifier}",
        f"of alert:{ALERT}",
        "by device:sensor-1",
        f"certificate:{SERIAL}",
        f"request:{REQUEST}",
        "person:li-wen",
        f"sha256:{FILE}",
    }


Query = Callable[[ManualClock], dict[str, object]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (lambda _c: {"text": FILE}, ["monitor.leak.found"]),
        (lambda _c: {"text": "fin-budget", "type": "authz.decision.made"}, ["authz.decision.made"]),
        (lambda c: {"since": c.now(), "domain": "outer-finance"}, ["pki.certificate.revoked"]),
        (lambda c: {"until": c.now() - timedelta(minutes=35), "actor": "zhao-ra"}, ["pki.issuance.intended"]),
        (lambda c: {"since": c.now(), "until": c.now()}, []),
        (lambda _c: {"text": "no such text % _ '"}, []),
        (lambda _c: {"domain": "nowhere"}, []),
    ],
)
def test_find(log: Log, clock: ManualClock, query: Query, expected: list[str]) -> None:
    with log.database.read() as session:
        assert [row.type for row in search.find(session, Wanted.model_validate(query(clock)))] == expected


def test_find_text_in_chinese(log: Log) -> None:
    append(log, "test.thing.made", "li-wen", "thing:1", {"title": "演练样本"})
    with log.database.read() as session:
        (row,) = search.find(session, Wanted(text="演练样本", since=None, until=None))
    assert json.loads(row.content)["details"] == {"title": "演练样本"}
