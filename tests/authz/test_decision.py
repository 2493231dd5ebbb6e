"""The decision point on both stores: what is answered is recorded, and what cannot be recorded is not answered."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlmodel import delete

from authz import appfile, authzen
from authz.decision import PolicyDecisionPoint
from authz.errors import NotRecorded
from core.access import Decision, DecisionRequest
from core.errors import Unavailable
from core.identity import SITE, DomainId, Principal, RequestId, Serial, SubjectKind
from core.ledger.errors import QueueFull
from core.ledger.fast import FastMode, FastQueue
from core.ledger.group import GroupCommit
from core.registry.models import DomainMembership, Person, PostHolding, SecurityDomain
from pki import revocation
from tests.authz import failing
from tests.authz import house as houses
from tests.authz.house import House

KIND = "authz.decision.made"


def ask(principal: Principal, action: str = "budget:read", **more: object) -> DecisionRequest:
    request = DecisionRequest(
        principal=principal,
        action=action,
        resource_type="document",
        resource_id="budget",
        domain=DomainId("outer-finance"),
        request_id=RequestId("a" * 32),
    )
    return replace(request, **more)  # type: ignore[arg-type]  # the tests name real fields


def site(principal: Principal, action: str) -> DecisionRequest:
    return ask(principal, action, resource_type="installation", resource_id="site", domain=SITE)


@pytest.fixture
def li_wen(house: House) -> Principal:
    return house.principal(house.pki.issue("li-wen"))


def change(house: House, kind: type, identifier: str, **values: object) -> None:
    with house.database.write() as session:
        row = session.get_one(kind, identifier)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def last(house: House) -> dict[str, object]:
    found = house.records(KIND)[-1]
    content = json.loads(found.content)
    assert (found.type, found.result) == (KIND, content["result"])
    return dict(content)


def test_allowed_denied_and_recorded(house: House, li_wen: Principal) -> None:
    allowed = house.decisions.decide(ask(li_wen))
    assert (allowed.allowed, allowed.reason, allowed.policies, allowed.ask) == (
        True,
        "permitted",
        ("finance-read",),
        "",
    )
    record = last(house)
    assert (record["actor"], record["object"], record["result"]) == ("li-wen", "system:fin-budget", "done")
    details = record["details"]
    assert isinstance(details, dict)
    assert details["policy_digest"] == house.decisions.policies.digest
    assert (details["serial"], details["request_id"]) == (li_wen.serial, "a" * 32)
    denied = house.decisions.decide(ask(li_wen, "budget:write"))
    assert (denied.allowed, denied.reason) == (False, "no-permit")
    assert "finance-write" in denied.explanation
    assert "周主政" in denied.ask
    assert last(house)["result"] == "refused"
    assert len(house.records(KIND)) == 2


def test_every_change_of_the_register_bites_at_the_next_request(house: House, li_wen: Principal) -> None:
    def answer() -> Decision:
        return house.decisions.decide(ask(li_wen))

    assert answer().allowed
    change(house, Person, "li-wen", suspended=True)
    assert answer().policies == ("g-suspended-person",)
    change(house, Person, "li-wen", suspended=False, clearance=0)
    assert answer().policies == ("g-dominance",)
    change(house, Person, "li-wen", clearance=3)
    change(house, SecurityDomain, "outer-finance", suspended=True)
    assert "g-suspended-domain" in answer().policies
    change(house, SecurityDomain, "outer-finance", suspended=False, ceiling=0)
    assert answer().policies == ("g-ceiling",)
    change(house, SecurityDomain, "outer-finance", ceiling=1)
    with house.database.write() as session:
        session.exec(
            delete(DomainMembership).where(
                DomainMembership.person == "li-wen", DomainMembership.domain == "outer-finance"
            )
        )
    assert answer().policies == ("g-membership",)


def test_the_certificate_is_asked_again_in_the_transaction_of_the_decision(house: House, li_wen: Principal) -> None:
    with house.database.write() as session:
        at = house.clock.now()
        revocation.revoke(session, li_wen.serial, reason="key-compromise", actor="lu-security", at=at)
    assert house.decisions.decide(ask(li_wen)).reason == "revoked"
    other = house.principal(house.pki.issue("sun-yue"))
    house.clock.advance(days=400)
    assert house.decisions.decide(ask(other)).reason == "expired"
    house.clock.advance(days=-401)
    assert house.decisions.decide(ask(other)).reason == "not-yet-valid"
    stranger = replace(li_wen, serial=Serial("1" * 40))
    assert house.decisions.decide(ask(stranger)).reason == "unknown-certificate"
    assert house.decisions.decide(ask(replace(li_wen, serial=Serial("")))).reason == "no-certificate"
    # A certificate stands for its own holder alone.
    borrowed = replace(li_wen, serial=other.serial)
    assert house.decisions.decide(ask(borrowed)).reason == "unknown-certificate"
    assert all(row.result == "refused" for row in house.records(KIND))


SENSELESS: tuple[dict[str, object], ...] = (
    {"resource_id": "nothing"},
    {"domain": DomainId("inner-office")},
    {"domain": DomainId("")},
    {"resource_type": "installation", "resource_id": "site"},
    {"resource_type": "installation", "resource_id": "elsewhere", "domain": SITE},
    {"action": "x" * 5000},
    {"action": "budget:read\n\x00"},
    {"resource_id": "\ud800", "action": "\ud800"},
)


def test_a_senseless_question_is_denied_and_recorded(house: House, li_wen: Principal) -> None:
    for number, change_of in enumerate(SENSELESS):
        decision = house.decisions.decide(ask(li_wen, **change_of))
        assert not decision.allowed
        assert decision.reason in {"invalid", "no-permit"}
        assert len(house.records(KIND)) == number + 1
        assert len(house.records(KIND)[-1].content) < 3000


def test_a_caller_can_talk_a_level_up_and_never_down(house: House, li_wen: Principal) -> None:
    assert house.decisions.decide(ask(li_wen, context={"level": 0})).allowed
    for level, expected in ((4, ("g-ceiling", "g-dominance")), (2, ("g-ceiling",))):
        assert house.decisions.decide(ask(li_wen, context={"level": level})).policies == expected
    change(house, Person, "li-wen", clearance=0)
    for claimed in (0, -1, True, "0"):
        assert not house.decisions.decide(ask(li_wen, context={"level": claimed})).allowed


def test_the_three_administrators_have_their_own_work_and_no_other(house: House) -> None:
    house.appoint("lu-security", "security-administrator")
    house.appoint("he-sysadmin", "system-administrator")
    house.appoint("wei-auditor", "auditor")
    may = {
        "lu-security": {"role:assignment:make", "pki:certificate:revoke", "authz:decision:explain"},
        "he-sysadmin": {"backup:point:create", "hsm:key:read"},
        "wei-auditor": {"evidence:record:read", "authz:decision:explain", "hsm:key:read"},
        "li-wen": set(),
    }
    for who, mine in may.items():
        principal = house.principal(house.pki.issue(who))
        for action in set().union(*may.values()):
            decision = house.decisions.decide(site(principal, action))
            assert decision.allowed is (action in mine), (who, action)
            assert decision.allowed or "陆安宁" in decision.ask
        assert house.decisions.decide(site(principal, "self:identity:read")).allowed


def test_nobody_to_ask_is_no_fault(house: House, li_wen: Principal) -> None:
    assert house.decisions.decide(site(li_wen, "hsm:key:read")).ask == ""
    with house.database.write() as session:
        session.exec(delete(PostHolding))
    decision = house.decisions.decide(ask(li_wen, "budget:write"))
    assert (decision.allowed, decision.ask) == (False, "")


def test_a_gateways_permission_leaves_no_second_record_but_its_refusal_does(house: House, li_wen: Principal) -> None:
    issued, _key = house.certify("gw-1", SubjectKind.GATEWAY)
    assert house.decisions.decide(site(house.principal(issued), "authz:gateway:decide")).allowed
    assert house.records(KIND) == []
    assert not house.decisions.decide(site(li_wen, "authz:gateway:decide")).allowed
    assert len(house.records(KIND)) == 1


@pytest.mark.parametrize("way", failing.WAYS)
def test_what_cannot_be_committed_is_not_answered(house: House, li_wen: Principal, way: str) -> None:
    with failing.commits(way), pytest.raises(Unavailable):
        house.decisions.decide(ask(li_wen))
    assert len(house.records(KIND)) == (1 if way == "failed but applied" else 0)
    assert house.decisions.decide(ask(li_wen)).allowed


def test_a_record_that_the_store_refuses_is_not_answered(house: House, li_wen: Principal) -> None:
    refuse_evidence(house)
    with pytest.raises(NotRecorded):
        house.decisions.decide(ask(li_wen))
    assert house.records(KIND) == []


def refuse_evidence(house: House) -> None:
    """Make the store itself refuse every further record."""
    with house.database.write() as session:
        if house.database.is_sqlite:
            refuse = "CREATE TRIGGER refuse BEFORE INSERT ON evidence BEGIN SELECT RAISE(ABORT, 'refused'); END"
            session.exec(text(refuse))  # type: ignore[call-overload]  # plain SQL
            return
        function = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'refused'; END $$ LANGUAGE plpgsql"
        session.exec(text(function))  # type: ignore[call-overload]  # plain SQL
        trigger = "CREATE TRIGGER refuse BEFORE INSERT ON evidence FOR EACH ROW EXECUTE FUNCTION refuse()"
        session.exec(text(trigger))  # type: ignore[call-overload]  # plain SQL


def test_everything_that_a_system_lets_an_action_reach_must_be_allowed(sqlite_house: House) -> None:
    """Two documents under one action: who may read only one of them may not read the system."""
    text = houses.texts()["fin-budget"]
    secret = (
        "  - {path: /plan, methods: [GET], action: 'budget:read', resource: {type: document, id: plan, level: 2}}\n"
    )
    house = houses.build(sqlite_house.pki, [appfile.parse_application(text + secret)])
    machine = house.principal(house.certify("gw-1", SubjectKind.GATEWAY)[0])
    house.pki.issue("li-wen")

    def answer(kind: str, identifier: str) -> Decision:
        asked = authzen.Question("person", "li-wen", "budget:read", kind, identifier)
        return authzen.evaluate(house.decisions, asked, asked_by=machine)

    assert answer("document", "budget").allowed
    assert answer("document", "plan").policies == ("g-ceiling",)
    assert answer("system", "fin-budget").policies == ("g-ceiling",)
    with house.database.write() as session:
        row = session.get_one(SecurityDomain, "outer-finance")
        row.ceiling = 3
        session.add(row)
    before = len(house.records(KIND))
    assert answer("system", "fin-budget").allowed
    records = [json.loads(record.content)["details"] for record in house.records(KIND)[before:]]
    assert [details["resource"] for details in records] == ["document/plan", "document/budget"]
    assert len({details["request_id"] for details in records}) == 1


@pytest.mark.parametrize(
    ("level", "domains", "fast"),
    [(2, ["outer-finance"], True), (2, ["outer-tax"], False), (3, ["outer-finance"], False)],
    ids=["fast", "another domain", "from level 3 on strict"],
)
def test_an_application_is_answered_before_the_record_is_stored_only_where_that_was_chosen(
    sqlite_house: House, level: int, domains: list[str], fast: bool
) -> None:
    machine = sqlite_house.principal(sqlite_house.certify("gw-1", SubjectKind.GATEWAY)[0])
    sqlite_house.pki.issue("li-wen")
    with sqlite_house.database.write() as session:
        row = session.get_one(SecurityDomain, "outer-finance")
        row.level = level
        session.add(row)
    group = GroupCommit(sqlite_house.database)
    queue = FastQueue(database=sqlite_house.database, group=group, window=20)
    point = PolicyDecisionPoint(
        database=sqlite_house.database,
        clock=sqlite_house.clock,
        policies=houses.POLICIES,
        catalogue=sqlite_house.decisions.catalogue,
        group=group,
        fast=FastMode(queue, frozenset(domains)),
    )
    before = len(sqlite_house.records(KIND))
    asked = authzen.Question("person", "li-wen", "budget:read", "document", "budget")
    # While nobody can write, a strict answer would have to wait.
    if fast:
        with sqlite_house.database.write():
            assert authzen.evaluate(point, asked, asked_by=machine).allowed
    else:
        assert authzen.evaluate(point, asked, asked_by=machine).allowed
        assert queue._thread is None
    queue.close()
    records = sqlite_house.records(KIND)[before:]
    details = [json.loads(record.content)["details"] for record in records]
    # The record says so itself, for whoever finds it numbered after a revocation.
    assert [(one["resource"], one.get("fast", False)) for one in details] == [("document/budget", fast)]
    # A queue that ended takes nothing in: no record, no answer.
    if fast:
        with pytest.raises(QueueFull):
            authzen.evaluate(point, asked, asked_by=machine)
