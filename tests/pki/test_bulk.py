"""Revoke many: chosen in every way, ordered once, in small transactions; too many for one person take two."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import Session, col, select

from core.errors import TrustError
from core.identity import PersonId, Serial
from core.ledger.models import EvidenceRow
from core.registry import credential
from core.signed import Json
from pki import bulk, bulk_act, bulk_api, jobs, revocation
from pki.bulk import Choice
from pki.models import BulkRevocation, BulkRevocationItem, Revocation
from tests.pki.conftest import Pki


def plan(pki: Pki, choice: Choice, word: str = "superseded") -> bulk.Plan:
    with pki.database.read() as session:
        return bulk.plan(session, choice, word, pki.clock.now())


def states(pki: Pki, serials: Sequence[str]) -> list[str]:
    with pki.database.read() as session:
        return [credential.get(session, Serial(one)).state for one in serials]


def word_of(act: object) -> str:
    with pytest.raises(TrustError) as caught:
        act()  # type: ignore[operator]  # a lambda
    return caught.value.word


def test_every_way_to_choose(sqlite_pki: Pki) -> None:
    pki, key = sqlite_pki, ec.generate_private_key(ec.SECP256R1())
    shared = [pki.issue(key=key).serial for _ in range(2)]
    other = pki.issue(holder="sun-yue").serial
    with pki.database.read() as session:
        row = credential.get(session, Serial(shared[0]))
        spki, domain = row.spki_sha256, row.domain
    everybody = tuple(sorted([*shared, other]))
    assert plan(pki, Choice(key=spki)).serials == tuple(sorted(shared))
    assert plan(pki, Choice(profile="person")).serials == everybody
    assert plan(pki, Choice(domain=domain)).serials == everybody
    assert set(plan(pki, Choice(department="bc-czt")).serials) >= set(shared)
    assert plan(pki, Choice(serials=(other,), profile="person")).serials == (other,)
    assert word_of(lambda: plan(pki, Choice(profile="gateway"))) == "nothing-chosen"
    told = plan(pki, Choice(serials=(other, Serial("02" * 20)))).told
    assert any("in no record" in line for line in told)


def test_ended_certificates_are_chosen_by_name_only(sqlite_pki: Pki) -> None:
    serial = sqlite_pki.issue(lifetime_seconds=60).serial
    sqlite_pki.clock.advance(hours=1)
    assert word_of(lambda: plan(sqlite_pki, Choice(profile="person"))) == "nothing-chosen"
    assert plan(sqlite_pki, Choice(serials=(serial,))).serials == (serial,)


@pytest.mark.parametrize("body", [
    {}, {"reason": "superseded"}, {"serials": []}, {"serials": [], "profile": "person"},
    {"serials": "01"}, {"serials": ["1"]}, {"serials": [5]}, {"key": 5},
    {"key": "x" * 99},
    {"who": "li-wen"}, {"serials": {}}, {"profile": "person", "reason": "because"}, {"profile": "a\0"},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(body: dict[str, Json]) -> None:
    assert word_of(lambda: bulk.parse(body)) in ("malformed", "unknown-revocation-reason")


def test_ordered_once_and_carried_out_in_parts(pki: Pki) -> None:
    serials = tuple(pki.issue().serial for _ in range(5))
    planned = plan(pki, Choice(serials=serials))
    with pki.database.write() as session:
        revocation.revoke(session, serials[0], reason="key-compromise", actor="x", at=pki.clock.now())
    for _ in range(2):
        with pki.database.write() as session:
            bulk.order(session, planned, "superseded", actor="lu-security", at=pki.clock.now())
    seen = []
    while not seen or seen[-1][0] == "open":
        with pki.database.write() as session:
            made = bulk.step(session, planned.digest, pki.clock.now(), most=2)
            seen.append((made.state, made.done))
    assert seen == [("open", 2), ("open", 4), ("done", 5)]
    with pki.database.write() as session:
        assert bulk.step(session, planned.digest, pki.clock.now()).skipped == 1
        assert session.exec(select(BulkRevocationItem)).all() == []
    assert set(states(pki, serials)) == {"revoked"}
    assert records(pki) == ["pki.revocation.finished", "pki.revocation.ordered"]
    with pki.database.read() as session:
        assert session.get_one(Revocation, serials[0]).reason == "key-compromise"


def records(pki: Pki) -> list[str]:
    with pki.database.read() as session:
        types = select(EvidenceRow.type).where(col(EvidenceRow.type).startswith("pki.revocation"))
        return sorted(session.exec(types))


def test_one_person_revokes_a_few_and_asking_again_is_no_news(pki: Pki) -> None:
    serials = [pki.issue().serial for _ in range(3)]
    principal = pki.authenticator.authenticate(pki.issue(holder="sun-yue").der)
    body = bulk_api.OrderRequest(reason="superseded", digest=kept(pki, serials=list(serials)))
    first = bulk_api.order(body, principal, pki.database, pki.clock)
    assert (first.state, first.done, first.total) == ("done", 3, 3)
    assert bulk_api.order(body, principal, pki.database, pki.clock) == first
    stale = body.model_copy(update={"digest": "0" * 64})
    assert word_of(lambda: bulk_api.order(stale, principal, pki.database, pki.clock)) == "conflict"


@pytest.fixture
def many(sqlite_pki: Pki) -> tuple[Pki, list[Serial]]:
    return sqlite_pki, [sqlite_pki.issue().serial for _ in range(bulk.ALONE + 1)]


def test_more_take_two_people(many: tuple[Pki, list[Serial]]) -> None:
    pki, serials = many
    principal = pki.authenticator.authenticate(pki.issue(holder="sun-yue").der)
    digest = kept(pki, serials=list(serials))
    body = bulk_api.OrderRequest(reason="superseded", digest=digest)
    assert word_of(lambda: bulk_api.order(body, principal, pki.database, pki.clock)) == "needs-two-people"
    assert set(states(pki, serials)) == {"good"}
    asked: dict[str, Json] = {"reason": "superseded", "digest": digest}
    with pki.database.write() as session:
        told = bulk_act.consequences(session, asked, pki.clock.now())
        assert "21 certificates of 1 holders" in told[0]
        assert bulk_act.concern(session, asked, pki.clock.now()).object == f"certificates:{digest}"
        bulk_act.carry_out(session, asked, PersonId("lu-security"), PersonId("he-sysadmin"), pki.clock.now())
    assert set(states(pki, serials)) == {"good"}
    (job,) = [one for one in jobs.jobs(pki.database) if one.name == "pki.revocation.bulk"]
    assert job.wanted()
    job.run(pki.clock.now())
    assert set(states(pki, serials)) == {"revoked"}
    assert not job.wanted()


def test_two_people_agree_on_what_is_revoked_and_on_nothing_else(many: tuple[Pki, list[Serial]]) -> None:
    pki, serials = many
    asked: dict[str, Json] = {"reason": "superseded", "digest": kept(pki, profile="person")}
    people = PersonId("lu-security"), PersonId("he-sysadmin")
    later = pki.issue(holder="sun-yue").serial
    with pki.database.write() as session:
        bulk_act.carry_out(session, asked, *people, pki.clock.now())
        assert orders(session) == [asked["digest"]]
    (job,) = [one for one in jobs.jobs(pki.database) if one.name == "pki.revocation.bulk"]
    job.run(pki.clock.now())
    assert set(states(pki, serials)) == {"revoked"}
    assert states(pki, [later]) == ["good"]


def test_what_is_not_as_it_was_shown_any_more_is_not_ordered(many: tuple[Pki, list[Serial]]) -> None:
    pki, serials = many
    asked: dict[str, Json] = {"reason": "superseded", "digest": kept(pki, profile="person")}
    people = PersonId("lu-security"), PersonId("he-sysadmin")
    with pki.database.write() as session:
        other = {**asked, "reason": "key-compromise"}
        assert word_of(lambda: bulk_act.carry_out(session, other, *people, pki.clock.now())) == "conflict"
        late = pki.clock.now() + bulk.KEPT
        assert word_of(lambda: bulk_act.carry_out(session, asked, *people, late)) == "conflict"
        revocation.revoke(session, serials[0], reason="superseded", actor="x", at=pki.clock.now())
        assert word_of(lambda: bulk_act.carry_out(session, asked, *people, pki.clock.now())) == "conflict"
        assert orders(session) == []
    for wrong in ({**asked, "digest": 5}, {"reason": "superseded"}, {"digest": asked["digest"]}, {**asked, "key": ""}):
        with pki.database.read() as session:
            assert word_of(lambda s=session, w=wrong: bulk_act.concern(s, w, pki.clock.now())) == "malformed"


def test_a_plan_that_nobody_ordered_goes(pki: Pki) -> None:
    serial = pki.issue().serial
    kept(pki, serials=[serial])
    pki.clock.advance(seconds=bulk.KEPT.total_seconds())
    digest = kept(pki, reason="key-compromise", serials=[serial])
    with pki.database.read() as session:
        assert [row.id for row in session.exec(select(BulkRevocation))] == [digest]
        assert [row.order for row in session.exec(select(BulkRevocationItem))] == [digest]


def test_the_same_plan_and_the_same_order_at_once_are_one(pki: Pki) -> None:
    principal = pki.authenticator.authenticate(pki.issue(holder="sun-yue").der)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            serials = [pki.issue().serial for _ in range(3)]
            (digest,) = set(threads.map(lambda _, of=serials: kept(pki, serials=list(of)), range(4)))
            body = bulk_api.OrderRequest(reason="superseded", digest=digest)
            said = threads.map(lambda _, of=body: bulk_api.order(of, principal, pki.database, pki.clock), range(4))
            assert {(one.state, one.done, one.skipped) for one in said} == {("done", 3, 0)}
    assert records(pki) == ["pki.revocation.finished"] * 3 + ["pki.revocation.ordered"] * 3


def kept(pki: Pki, *, reason: str = "superseded", **chosen: Any) -> str:
    """Plan as somebody does over HTTP; return the plan's digest."""
    principal = pki.authenticator.authenticate(pki.issue(holder="zhao-ra").der)
    asked = bulk_api.PlanRequest(reason=reason, **chosen)
    return bulk_api.plan(asked, principal, pki.database, pki.clock).digest


def orders(session: Session) -> list[str]:
    return [row.id for row in session.exec(select(BulkRevocation).where(BulkRevocation.state != "planned"))]
