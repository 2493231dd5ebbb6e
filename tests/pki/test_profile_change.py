"""Profiles change as policies do: checked, shown, agreed on by a second person, in force at once, and back again."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from sqlmodel import select

from backup import replay_profile
from backup.mirror import Record
from core.approval import acts
from core.approval.acts import Acts
from core.approval.errors import NotYours
from core.database import Database
from core.errors import Conflict, NotFound, Rejected, TrustError
from core.identity import DomainId
from core.ledger.models import EvidenceRow
from core.registry import credential
from pki import activation, profile, profile_api, profilelint, profileset, revocation, strength
from pki.models import IssuanceIntent, ProfileSet
from tests.clock import ManualClock
from tests.core.approval.desk import Desk, opened
from tests.pki.conftest import Pki, build
from tests.services.softhsm import Running

SHIPPED = profile.shipped()


def text(version: str, **changes: dict[str, object]) -> str:
    """The shipped profiles with members of some of them changed."""
    read = yaml.safe_load(SHIPPED.text)
    read["version"] = version
    for one in read["profiles"]:
        one.update(changes.get(one["name"], {}))
    return yaml.safe_dump(read, allow_unicode=True)


def test_the_shipped_profiles_have_no_fault() -> None:
    assert profilelint.find_faults(SHIPPED) == []
    assert profilelint.compare(SHIPPED, SHIPPED) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"person": {"days": 1000}}, "more than any of its levels allows (730)"),
        ({"person": {"levels": [4, 5]}}, "more than any of its levels allows (180)"),
        ({"person": {"purposes": ["server-authentication"], "hosts": True}}, "a person logs in with it"),
        ({"person": {"holder": "sensor"}}, "there is no profile `person` for a person"),
        ({"person": {"name": "people"}}, "there is no profile `person` for a person"),
        ({"gateway": {"hosts": True}}, "host names stand in a server's certificate"),
        ({"application": {"hosts": False}}, "host names stand in a server's certificate"),
        ({"gateway": {"usages": ["content-commitment"]}}, "without the usage digital-signature"),
        ({"gateway": {"usages": ["digital-signature", "key-encipherment"]}}, "for RSA keys alone"),
        ({"gateway": {"usages": ["digital-signature", "key-agreement"]}}, "for elliptic-curve keys alone"),
        ({"gateway": {"networks": ["outer", "site"]}}, "the network `site`"),
        ({"bootstrap": {"networks": ["outer"]}}, "the network `site`"),
        ({"bootstrap": {"days": 8}}, "lives 7 days at most"),
    ],
)
def test_what_must_not_come_into_force_is_named(changes: dict[str, dict[str, object]], fault: str) -> None:
    assert fault in " ".join(profilelint.find_faults(profile.parse_profiles(text("x", **changes))))


def test_the_difference_is_told_with_its_direction() -> None:
    new = profile.parse_profiles(text("x", person={"days": 90}, gateway={"keys": ["p256", "p384", "rsa"], "days": 200}))
    assert profilelint.compare(SHIPPED, new) == [
        "profile `person`: days: 365 → 90 (narrower)",
        "profile `gateway`: days: 180 → 200 (wider)",
    ]
    fewer = yaml.safe_load(SHIPPED.text)
    gone = fewer["profiles"].pop(2)
    told = profilelint.compare(SHIPPED, profile.parse_profiles(yaml.safe_dump(fewer, allow_unicode=True)))
    assert told == [f"profile `{gone['name']}` goes: nothing is issued by it any more"]
    told = profilelint.compare(profile.parse_profiles(yaml.safe_dump(fewer, allow_unicode=True)), SHIPPED)
    assert told == ["profile `sensor` is new: 180 days for a sensor, client-authentication"]


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> Desk:
    desk = opened(database, clock)
    desk.acts = Acts([one for one in acts.load() if one.act == activation.NAME], [activation.ACT])
    return desk


def body(text_: str, seen: str = SHIPPED.digest) -> dict[str, object]:
    return {"text": text_, "from": seen, "basis": "演练样本"}


def propose(desk: Desk, text_: str, seen: str = SHIPPED.digest) -> object:
    digest = profile.parse_profiles(text_).digest
    return desk.propose("he-sysadmin", body=body(text_, seen), act=activation.NAME, object_=f"profiles:{digest[:16]}")


def active(desk: Desk) -> str:
    with desk.database.read() as session:
        return profileset.active(session).version


def test_it_takes_a_second_person_and_goes_back_the_same_way(desk: Desk) -> None:
    shorter = text("2026-12-01", person={"days": 90})
    row = propose(desk, shorter)
    assert (desk.state(row), active(desk)) == ("waiting", SHIPPED.version)
    for nobody in ("he-sysadmin", "wei-auditor"):
        with pytest.raises(NotYours):
            desk.approve(nobody, row)
    desk.approve("lu-security", row)
    assert (desk.state(row), active(desk)) == ("done", "2026-12-01")
    back = propose(desk, SHIPPED.text, profile.parse_profiles(shorter).digest)
    desk.approve("lu-security", back)
    assert active(desk) == SHIPPED.version
    with desk.database.read() as session:
        told = [(one.version, one.proposer, one.approver) for one in profileset.history(session)]
        listed = profile_api.list_(session).items
    assert told == [(version, "he-sysadmin", "lu-security") for version in ("2026-12-01", SHIPPED.version)]
    assert [one.version for one in listed] == [SHIPPED.version, "2026-12-01", SHIPPED.version]


def test_what_was_proposed_for_other_profiles_is_not_carried_out(desk: Desk) -> None:
    first, second = propose(desk, text("a", person={"days": 90})), propose(desk, text("b", person={"days": 91}))
    desk.approve("lu-security", first)
    desk.approve("lu-security", second)
    assert (desk.state(second), active(desk)) == ("failed", "a")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (body(text("x", person={"days": 1000})), Rejected),
        (body(SHIPPED.text), Conflict),
        (body(text("x"), "0" * 64), Conflict),
        (body("nonsense"), TrustError),
        ({"text": "x"}, TrustError),
        ({**body(text("x")), "basis": " "}, TrustError),
        ({**body(text("x")), "more": 1}, TrustError),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_proposed(
    desk: Desk, given: dict[str, object], kind: type[Exception]
) -> None:
    with desk.database.read() as session, pytest.raises(kind):
        activation.ACT.consequences(session, given, desk.clock.now())  # type: ignore[arg-type]  # what a client may send
        activation.ACT.concern(session, given, desk.clock.now())  # type: ignore[arg-type]


def activate(pki: Pki, text_: str) -> None:
    with pki.database.write() as session:
        seen = profileset.active(session).digest
        people = ("he-sysadmin", "lu-security")
        profileset.activate(session, text_, seen=seen, people=people, basis="演练样本", at=pki.clock.now())


@pytest.fixture
def pki(database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> Pki:
    return build(database, clock, signer_process, tmp_path)


def test_what_is_on_hold_is_counted_among_what_stays(pki: Pki) -> None:
    _good, held = pki.issue(), pki.issue("sun-yue")
    with pki.database.write() as session:
        at = pki.clock.now()
        revocation.hold(session, held.serial, until=at + timedelta(days=1), message="", actor="x", at=at)
    shorter = body(text("2026-12-01", person={"days": 90}))
    with pki.database.read() as session:
        told = activation.ACT.consequences(session, shorter, pki.clock.now())  # type: ignore[arg-type]  # as a client
    assert "2 certificates of profile `person`, good or on hold, stay so until they end" in told


def test_a_weak_key_on_hold_counts(pki: Pki) -> None:
    """It is good again when its hold ends; what is revoked never is."""
    good, held, revoked = (pki.issue(holder).serial for holder in ("li-wen", "li-wen", "li-wen"))
    with pki.database.write() as session:
        at = pki.clock.now()
        revocation.hold(session, held, until=at + timedelta(days=1), message="", actor="x", at=at)
        revocation.revoke(session, revoked, reason="superseded", actor="x", at=at)
    with pki.database.read() as session:
        domain = DomainId(credential.get(session, good).domain)
        found = [serial for serial, _why in strength.weak(session, domain, 4096, 384, pki.clock.now())]
    assert sorted(found) == sorted([good, held])


def test_the_next_certificate_follows_and_says_by_which_profiles(pki: Pki) -> None:
    """In the very process that issues, without a restart; and each intention is pinned to what it was judged by."""
    first = pki.issue()
    shorter = text("2026-12-01", person={"days": 30})
    activate(pki, shorter)
    second = pki.issue("sun-yue")
    activate(pki, text("2026-12-02", person={"days": 30, "networks": ["inner"]}))
    with pytest.raises(TrustError) as refused:
        pki.issue("wu-ops")
    assert refused.value.word == "wrong-profile"
    lives = [x509.load_der_x509_certificate(one.der) for one in (first, second)]
    assert [one.not_valid_after_utc - one.not_valid_before_utc for one in lives] == [
        timedelta(days=365, seconds=-1),
        timedelta(days=30, seconds=-1),
    ]
    with pki.database.read() as session:
        pinned = [session.get_one(IssuanceIntent, one.serial).profiles for one in (first, second)]
    assert pinned == [SHIPPED.digest, profile.parse_profiles(shorter).digest]


def test_activation_is_rebuilt_from_its_record(pki: Pki) -> None:
    activate(pki, text("2026-12-01", person={"days": 30}))
    with pki.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "pki.profile.activated")).one()
        was = session.exec(select(ProfileSet)).one().model_dump()
        read = json.loads(row.content)
    record = Record(
        sequence=1,
        content=bytes(row.content),
        identifier=row.identifier,
        at=was["at"],
        type=row.type,
        actor=row.actor,
        object=row.object,
        domain=row.domain,
        result=row.result,
        details=read["details"],
    )
    with pki.database.write() as session:
        session.delete(session.exec(select(ProfileSet)).one())
        session.flush()
        for _ in range(2):
            assert replay_profile.HANDLERS[record.type](session, record)
            session.flush()
        assert session.exec(select(ProfileSet)).one().model_dump() == was


def test_earlier_profiles_are_found_by_their_digest(sqlite_pki: Pki) -> None:
    activate(sqlite_pki, text("2026-12-01", person={"days": 30}))
    with sqlite_pki.database.read() as session:
        assert profileset.find(session, SHIPPED.digest[:8]).version == SHIPPED.version
        with pytest.raises(NotFound):
            profileset.find(session, "0" * 64)
        with pytest.raises(Conflict):
            profileset.find(session, "")
        answer = profile_api.check(profile_api.CheckRequest(text=text("x", person={"days": 1000})), session)
    assert len(answer.faults) == 1
    assert answer.changes == ["profile `person`: days: 30 → 1000 (wider)"]
