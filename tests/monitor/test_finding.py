"""From a sighting to a finding on both stores: each doubt, each refusal, once in effect, and the evidence of it."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlmodel import select

from authz.models import GatewayRequest
from core.database import Database
from core.ledger import body
from core.ledger.models import EvidenceRow
from core.registry import change
from core.registry.loader import parse_province
from core.registry.models import PostHolding
from monitor import attribution, coverage, finding
from monitor.attribution import LONGEST_TRANSFER, NEIGHBOURHOOD, SKEW
from monitor.errors import NoSuchAlert
from monitor.finding import Outcome
from monitor.models import Finding
from monitor.sighting import Blind, Leak, Sighting
from tests.clock import ManualClock
from tests.monitor import province
from tests.monitor.province import SERIALS, request_id

RECORDED_ALWAYS = ("request_id", "serial", "person", "organisation", "system", "marking", "state", "rule", "policy")


def passed(store: Database, clock: ManualClock, number: int, holder: str, **more: Any) -> None:
    with store.write() as session:
        province.passed(session, number, holder, more.pop("at", clock.now()), **more)


def enter(store: Database, clock: ManualClock, leak: Leak) -> Outcome:
    with store.write() as session:
        coverage.hear(session, leak.sensor, now=clock.now())
        return finding.enter(session, leak, now=clock.now())


def only(store: Database) -> Finding:
    with store.read() as session:
        return session.exec(select(Finding)).one()


def records(store: Database, prefix: str = "monitor.leak.") -> list[dict[str, Any]]:
    with store.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.type.startswith(prefix))).all()  # type: ignore[attr-defined]
        return [json.loads(row.content) for row in rows]


def test_a_leak_names_request_certificate_person_and_both_officers(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    passed(store, clock, 2, "sun-yue")
    clock.advance(seconds=2)
    assert enter(store, clock, province.leak(1, "li-wen", clock.now())) is Outcome.ENTERED
    row = only(store)
    assert (row.state, row.person, row.person_name, row.organisation_name) == (
        "named",
        "li-wen",
        "李文",
        "财政厅",
    )
    assert (row.request_id, row.serial) == (request_id(1), SERIALS["li-wen"])
    assert (row.system, row.application, row.candidates) == ("fin-budget", "fin-budget-app", "[]")
    assert (row.in_charge_name, row.operating_name) == ("周主政", "吴运维")
    summary = finding.summary(row)
    for part in ("机密★10年", "内部", "outer-finance", request_id(1), SERIALS["li-wen"], "李文", "周主政", "吴运维"):
        assert part in summary
    (record,) = records(store)
    assert record["type"] == "monitor.leak.found"
    assert (record["actor"], record["object"]) == ("device:sensor-1", f"alert:{row.id}")
    assert (record["domain"], record["result"]) == ("outer-finance", "done")
    details = record["details"]
    assert all(details[name] == str(getattr(row, name, details[name])) for name in RECORDED_ALWAYS)
    assert details["in_charge"] == {"post": "czt-head", "person": "zhou-head"}
    assert "文件" not in json.dumps(details, ensure_ascii=False)
    with store.read() as session:
        seen = body.read(session, record["id"])
    assert (seen["excerpt"], seen["host"], seen["source"]) == (row.excerpt, row.host, row.source)
    assert all(name not in details for name in seen)


DOUBTS = {
    "refused": ({"allowed": False, "reason": "no-permit"}, {}, "the gateway refused this request"),
    "nobody": ({"person": ""}, {}, "the gateway refused this request"),
    "other certificate": ({}, {"serial": "0f" * 20}, "the certificate in the header is not the one"),
    "no certificate": ({}, {"serial": ""}, "the certificate in the header is not the one"),
    "no record": ({}, {"request_id": request_id(77)}, "no gateway has a record of this request"),
    "no id": ({}, {"request_id": ""}, "the transaction carried no request id, or more than one"),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_each_doubt_keeps_the_person_unnamed(store: Database, clock: ManualClock, case: str) -> None:
    request, said, explanation = DOUBTS[case]
    passed(store, clock, 1, "li-wen", **request)
    passed(store, clock, 2, "sun-yue")
    assert enter(store, clock, province.leak(1, "li-wen", clock.now(), **said)) is Outcome.ENTERED
    row = only(store)
    assert (row.state, row.person, row.person_name) == ("candidates", "", "")
    assert row.explanation.startswith(explanation)
    assert "sun-yue" in [one["person"] for one in json.loads(row.candidates)]
    assert (row.in_charge_name, row.operating_name) == ("周主政", "吴运维")
    (record,) = records(store)
    assert (record["details"]["state"], record["details"]["person"]) == ("candidates", "")
    assert request_id(2) in record["details"]["candidates"]
    assert "one of" in finding.summary(row)


@pytest.mark.parametrize(
    ("later", "named"),
    [
        (-SKEW, True),
        (-SKEW - timedelta(milliseconds=1), False),
        (LONGEST_TRANSFER + SKEW, True),
        (LONGEST_TRANSFER + SKEW + timedelta(milliseconds=1), False),
    ],
)
def test_a_request_of_another_time_names_nobody(
    store: Database, clock: ManualClock, later: timedelta, named: bool
) -> None:
    passed(store, clock, 1, "li-wen")
    enter(store, clock, province.leak(1, "li-wen", clock.now() + later))
    row = only(store)
    assert (row.state == "named") is named
    assert row.explanation == ("" if named else "the request was made at another time")


def test_a_request_carried_twice_names_nobody_the_second_time(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    first = province.leak(1, "li-wen", clock.now())
    assert enter(store, clock, first) is Outcome.ENTERED
    replayed = first.model_copy(update={"id": "sensor-1:00ff:999", "transaction": "9:0"})
    assert enter(store, clock, replayed) is Outcome.ENTERED
    with store.read() as session:
        states = {row.sighting: (row.state, row.explanation) for row in session.exec(select(Finding))}
    assert states[first.id] == ("named", "")
    assert states[replayed.id] == ("candidates", "more than one transaction carried this request id")


def test_a_second_marking_of_the_same_transaction_is_named_too(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    first = province.leak(1, "li-wen", clock.now(), marking="秘密★1年")
    enter(store, clock, first)
    enter(store, clock, first.model_copy(update={"id": "sensor-1:00ff:999", "marking": "绝密★30年"}))
    with store.read() as session:
        assert [row.state for row in session.exec(select(Finding))] == ["named", "named"]


def test_nobody_near_is_nobody_known(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen", at=clock.now() - NEIGHBOURHOOD - timedelta(seconds=1))
    passed(store, clock, 2, "sun-yue", domain="inner-office")
    passed(store, clock, 3, "sun-yue", allowed=False)
    enter(store, clock, province.leak(9, "li-wen", clock.now(), request_id=""))
    row = only(store)
    assert (row.state, row.candidates) == ("unknown", "[]")
    assert "nobody known" in finding.summary(row)


def test_candidates_are_the_latest_and_bounded(store: Database, clock: ManualClock) -> None:
    for number in range(1, 41):
        passed(store, clock, number, "li-wen", at=clock.now() - timedelta(seconds=40 - number))
    enter(store, clock, province.leak(99, "li-wen", clock.now(), request_id=""))
    listed = [one["request_id"] for one in json.loads(only(store).candidates)]
    assert listed == [request_id(number) for number in range(40, 20, -1)]


def test_a_person_who_left_the_register_is_still_named_by_id(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen", person="gone-person")
    enter(store, clock, province.leak(1, "li-wen", clock.now()))
    row = only(store)
    assert (row.state, row.person, row.person_name) == ("named", "gone-person", "")
    assert "gone-person (not in the register)" in finding.summary(row)


def test_officers_are_those_of_the_time_of_the_leak(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    leaked = clock.now()
    clock.advance(days=1)
    handed_over = province.SAMPLE.read_text(encoding="utf-8").replace("holder: wu-ops", "holder: zheng-budget")
    with store.write() as session:
        change.apply(session, parse_province(handed_over), actor="test", at=clock.now())
    enter(store, clock, province.leak(1, "li-wen", leaked))
    passed(store, clock, 2, "li-wen")
    enter(store, clock, province.leak(2, "li-wen", clock.now()))
    with store.read() as session:
        names = [row.operating_name for row in session.exec(select(Finding).order_by(Finding.at))]  # type: ignore[arg-type]
    assert names == ["吴运维", "郑预算"]


def test_a_leak_is_entered_although_nobody_answers_for_it(store: Database, clock: ManualClock) -> None:
    with store.write() as session:
        for row in session.exec(select(PostHolding)):
            session.delete(row)
    passed(store, clock, 1, "li-wen")
    enter(store, clock, province.leak(1, "li-wen", clock.now()))
    row = only(store)
    assert (row.state, row.in_charge_person) == ("named", "")
    assert "主管 nobody" in finding.summary(row)


def test_what_a_sensor_says_about_ceilings_is_not_believed(store: Database, clock: ManualClock) -> None:
    at = clock.now()
    cases = {
        Outcome.NOT_ABOVE_CEILING: province.leak(1, "li-wen", at, domain="inner-office", marking="机密★10年"),
        Outcome.UNKNOWN_DOMAIN: province.leak(2, "li-wen", at, domain="no-such-domain"),
        Outcome.NO_MARKING: province.leak(3, "li-wen", at, marking="机密计算"),
    }
    for expected, leak in cases.items():
        assert enter(store, clock, leak) is expected
    with store.read() as session:
        assert session.exec(select(Finding)).all() == []
    assert records(store) == []


def test_reported_again_it_changes_nothing(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    leak = province.leak(1, "li-wen", clock.now())
    assert [enter(store, clock, leak) for _ in range(3)] == [Outcome.ENTERED, Outcome.KNOWN, Outcome.KNOWN]
    assert len(records(store)) == 1


def test_a_late_request_amends_once_and_only_what_was_missing(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    early = province.leak(1, "li-wen", clock.now(), request_id="", serial="")
    assert enter(store, clock, early) is Outcome.ENTERED
    late = province.leak(
        1, "li-wen", clock.now() + timedelta(days=9), revision=2, marking="绝密★", domain="inner-office"
    )
    assert enter(store, clock, late) is Outcome.AMENDED
    assert enter(store, clock, late) is Outcome.KNOWN
    # A person who is named stays so, whatever is said later.
    other = late.model_copy(update={"revision": 3, "request_id": request_id(2), "serial": SERIALS["sun-yue"]})
    assert enter(store, clock, other) is Outcome.KNOWN
    row = only(store)
    assert (row.state, row.person, row.marking, row.domain, row.revision) == (
        "named",
        "li-wen",
        "机密★10年",
        "outer-finance",
        2,
    )
    assert [record["type"] for record in records(store)] == ["monitor.leak.found", "monitor.leak.attributed"]
    assert records(store)[1]["details"]["person"] == "li-wen"
    assert records(store)[1]["object"] == records(store)[0]["object"]


def test_the_amended_revision_may_come_first(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    assert enter(store, clock, province.leak(1, "li-wen", clock.now(), revision=2)) is Outcome.ENTERED
    early = province.leak(1, "li-wen", clock.now(), request_id="", serial="")
    assert enter(store, clock, early) is Outcome.KNOWN
    assert only(store).state == "named"


def test_reports_at_the_same_time_enter_one_finding(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    enter(store, clock, province.leak(2, "li-wen", clock.now()))
    leak, outcomes = province.leak(1, "li-wen", clock.now()), []
    threads = [threading.Thread(target=lambda: outcomes.append(enter(store, clock, leak))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [Outcome.ENTERED, *[Outcome.KNOWN] * 5]


def test_an_alert_that_is_not_there_is_told(store: Database) -> None:
    with store.read() as session, pytest.raises(NoSuchAlert, match="no alert `x`"):
        finding.get(session, "x")


def test_without_evidence_there_is_no_finding(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")

    class Refused(Exception):
        pass

    with pytest.raises(Refused), store.write() as session:
        finding.enter(session, province.leak(1, "li-wen", clock.now()), now=clock.now())
        raise Refused
    with store.read() as session:
        assert session.exec(select(Finding)).all() == []
    assert records(store) == []


TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=100)
SIGHTING: TypeAdapter[Leak | Blind] = TypeAdapter(Sighting)


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "marking": st.sampled_from(["机密★10年", "秘密★", "", "\x00"]) | TEXT,
            "domain": st.sampled_from(["outer-finance", "inner-office"]) | TEXT,
            "request_id": st.sampled_from(["", "f" * 32]) | TEXT,
            "serial": st.sampled_from(["", "f" * 40]) | TEXT,
            "at": st.datetimes(timezones=st.timezones())
            | st.sampled_from(["2026-11-20T08:00:00", "0001-01-01T00:00Z"]),
            "sid": st.integers(-(2**70), 2**70),
            "hits": st.integers(-(2**70), 2**70),
            "source_port": st.integers(-1, 70000),
            "host": TEXT,
            "path": TEXT,
            "source": TEXT,
            "policy": TEXT,
            "encoding": TEXT,
            "transaction": TEXT,
            "id": TEXT.map(lambda text: f"sensor-1:{text}"),
        },
    )
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_wire_lets_in_the_store_takes(
    store: Database, clock: ManualClock, changes: dict[str, object]
) -> None:
    content = province.leak(1, "li-wen", clock.now()).model_dump() | changes
    try:
        leak = SIGHTING.validate_python(content)
    except ValidationError:
        return
    assert isinstance(leak, Leak)
    assert enter(store, clock, leak) in list(Outcome)


def test_the_gateway_is_not_written_by_the_border(store: Database, clock: ManualClock) -> None:
    passed(store, clock, 1, "li-wen")
    with store.read() as session:
        before = session.get_one(GatewayRequest, request_id(1)).model_dump()
    enter(store, clock, province.leak(1, "li-wen", clock.now()))
    with store.read() as session:
        assert session.get_one(GatewayRequest, request_id(1)).model_dump() == before
        assert attribution.attribute(session, province.leak(1, "li-wen", clock.now())).named is not None
