"""A restore cannot resurrect: whatever the evidence says happened after the cut has happened."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from backup import reconcile
from backup.errors import Damaged
from backup.mirror import Mirror
from core.clock import SystemClock
from core.database import Database
from core.identity import DomainId, PersonId, PostId, Serial
from core.ledger import checkpoint, evidence
from core.ledger.entry import Event
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from core.ledger.sequencer import Sequencer
from core.registry import agreement, change, changeset, content, credential, handover, history, loader, role
from core.registry.handover import Order
from core.registry.models import AddressRange, Person, PostHolding
from deploy import recovery
from deploy import settings as site_settings
from hsm.signer import TokenCheckpointSigner
from pki import revocation
from pki.crl import CrlPublisher
from pki.errors import AlreadyRevoked, RevokedKey
from pki.issuance import CertificateAuthority
from pki.models import Certificate, CrlPublication, IssuanceIntent, Revocation
from tests.backup.conftest import NewStore
from tests.backup.realm import ORIGIN, Realm, unguard
from tests.core.signers import certified
from tests.ledger_check import check_folder, check_ledger
from tests.people import PROVINCE
from tests.pki.conftest import SETTINGS

NOW = SystemClock().now


@dataclass
class Second:
    """The site that came back; the token is the same, so the signer of the first serves it."""

    realm: Realm
    database: Database
    told: dict[str, object]
    state: Path

    def publisher(self) -> CrlPublisher:
        keys = self.realm.signer.client
        return CrlPublisher(database=self.database, keys=keys, clock=SystemClock(), settings=SETTINGS)

    def sequence(self) -> None:
        signer = TokenCheckpointSigner(self.realm.signer.client, "checkpoint")
        Sequencer(
            database=self.database,
            clock=SystemClock(),
            directory=self.state / "ledger",
            origin=ORIGIN,
            signer=signer,
            owner="another-host:77",
            mirror=self.realm.repository.evidence,
        ).run_once()

    def key(self) -> str:
        return str(checkpoint.verifier_key(ORIGIN, TokenCheckpointSigner(self.realm.signer.client, "checkpoint")))


Return = Callable[[], Second]


@pytest.fixture
def come_back(realm: Realm, new_store: NewStore, tmp_path: Path) -> Iterator[Return]:
    """Publish what is there, lose the site, and come back."""
    opened: list[Database] = []

    def act() -> Second:
        realm.sequence()
        state = tmp_path / "second"
        told = recovery.restore(
            repository=realm.repository.path, identity=realm.identity, point="", into=state, store=new_store()
        )
        database = Database(site_settings.load(state, {}).site.store)
        opened.append(database)
        return Second(realm, database, dict(told), state)

    yield act
    for database in opened:
        database.close()


def test_revoked_after_the_cut_stays_revoked(realm: Realm, come_back: Return) -> None:
    serial, good = realm.issue(), realm.issue("zhao-ra")
    realm.point()
    realm.revoke(serial)
    second = come_back()
    with second.database.read() as session:
        held, entered = credential.get(session, serial), session.get_one(Revocation, serial)
        original = _entry(realm, serial)
        assert (held.state, held.revocation_reason) == ("revoked", "key-compromise")
        # The same octets that a list of the first site would carry.
        assert entered.entry == original
        assert credential.get(session, good).state == "good"
    with pytest.raises(AlreadyRevoked), second.database.write() as session:
        revocation.revoke(session, serial, reason="superseded", actor="x", at=NOW())


def _entry(realm: Realm, serial: Serial) -> bytes:
    with realm.database.read() as session:
        return session.get_one(Revocation, serial).entry


def test_issued_after_the_cut_is_known_whole_and_revocable(realm: Realm, come_back: Return) -> None:
    realm.point()
    key = ec.generate_private_key(ec.SECP256R1())
    issued = realm.pki.issue("zhao-ra", key)
    second = come_back()
    with second.database.read() as session, realm.database.read() as before:
        for kind in (credential.Credential, Certificate, IssuanceIntent):
            was, now = before.get_one(kind, issued.serial), session.get_one(kind, issued.serial)
            assert _rounded(now) == _rounded(was), kind.__name__
    with second.database.write() as session:
        revocation.revoke(session, issued.serial, reason="key-compromise", actor="lu-security", at=NOW())
    authority = CertificateAuthority(
        database=second.database,
        group=GroupCommit(second.database),
        keys=realm.signer.client,
        clock=SystemClock(),
        random=lambda size: b"\x11" * size,
        settings=SETTINGS,
    )
    realm.pki.authority = authority
    with pytest.raises(RevokedKey):
        realm.pki.issue("zhao-ra", key)


def _rounded(row: object) -> dict[str, str]:
    values = row.model_dump()  # type: ignore[attr-defined]
    return {name: str(value)[:23] for name, value in values.items()}


def test_a_serial_number_is_never_taken_twice(realm: Realm, come_back: Return) -> None:
    realm.point()
    serial = realm.issue("zhao-ra")
    second = come_back()
    realm.pki.authority = CertificateAuthority(
        database=second.database,
        group=GroupCommit(second.database),
        keys=realm.signer.client,
        clock=SystemClock(),
        random=lambda size: bytes.fromhex(serial)[:size],
        settings=SETTINGS,
    )
    # Even a generator that repeats itself cannot make a second certificate under a known number.
    with pytest.raises(Exception, match=r"(?i)unique"):
        realm.pki.issue("zhao-ra")
    with second.database.read() as session:
        assert session.exec(select(func.count()).select_from(Certificate)).one() == 2


def test_an_intention_without_outcome_is_given_up_later(realm: Realm, come_back: Return) -> None:
    realm.point()
    serial = _intend(realm)
    second = come_back()
    with second.database.write() as session:
        assert session.get_one(IssuanceIntent, serial).state == "open"
        assert revocation.resume(session, before=NOW(), at=NOW()) == 1
        assert session.get_one(Revocation, serial).reason == "cessation-of-operation"


def test_an_intention_given_up_after_the_cut_is_revoked(realm: Realm, come_back: Return) -> None:
    serial = _intend(realm)
    realm.point()
    later = _intend(realm, "02" * 20)
    with realm.database.write() as session:
        assert revocation.resume(session, before=NOW(), at=NOW()) == 2
    second = come_back()
    with second.database.read() as session:
        for one in (serial, later):
            assert session.get_one(IssuanceIntent, one).state == "abandoned"
            assert session.get_one(Revocation, one).entry == _entry(realm, one)
    assert second.told["replayed"]["pki.issuance.abandoned"] == 2  # type: ignore[index]


def _intend(realm: Realm, serial: str = "01" * 20) -> Serial:
    from pki import events

    intent = IssuanceIntent(
        serial=serial,
        issuer="issuing",
        profile="person",
        holder_kind="person",
        holder="li-wen",
        domain="outer-finance",
        actor="zhao-ra",
        at=NOW(),
        tbs=b"x",
    )
    with realm.database.write() as session:
        session.add(intent)
        evidence.append(session, events.intended(intent), at=intent.at)
    return Serial(serial)


def test_list_numbers_go_forward_and_no_old_list_is_shown(realm: Realm, come_back: Return, tmp_path: Path) -> None:
    serial = realm.issue()
    realm.pki.publisher.refresh(force=True)
    realm.point()
    for _ in range(3):
        realm.pki.publisher.refresh(force=True)
    realm.revoke(serial)
    realm.pki.publisher.refresh()
    # Published in the last moment, and its record is lost with the site: its number must not come again.
    realm.sequence()
    realm.pki.publisher.refresh(force=True)
    published = _number(realm.pki.publisher.current("issuing"))
    told = _lose_the_tail(realm, come_back)
    publisher = told.publisher()
    with pytest.raises(Exception, match="there is no list of `issuing`"):
        publisher.current("issuing")
    publisher.refresh()
    content = publisher.current("issuing")
    assert _number(content) > published == 6
    crl = x509.load_der_x509_crl(content)
    assert crl.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None
    assert _openssl_verifies(content, told.state / "trust.pem", tmp_path)


def _lose_the_tail(realm: Realm, come_back: Return) -> Second:
    realm.sequence = lambda: None  # type: ignore[method-assign]  # the sequencer died before it mirrored the tail
    return come_back()


def _number(content: bytes) -> int:
    return x509.load_der_x509_crl(content).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _openssl_verifies(content: bytes, trusted: Path, folder: Path) -> bool:
    (folder / "list.crl").write_bytes(content)
    command = ["openssl", "crl", "-inform", "DER", "-in", str(folder / "list.crl"), "-CAfile", str(trusted), "-noout"]
    done = subprocess.run([*command, "-verify"], capture_output=True, text=True, check=True)
    return "verify OK" in done.stdout + done.stderr


def test_roles_and_posts_are_as_they_were_last(realm: Realm, come_back: Return) -> None:
    give = {"giver": "founding", "at": NOW()}
    with realm.database.write() as session:
        role.assign(session, person=PersonId("qian-analyst"), domain="site", role="analyst", **give)  # type: ignore[arg-type]
        role.appoint(session, person=PersonId("wei-auditor"), role="auditor", **give)  # type: ignore[arg-type]
    realm.point()
    with realm.database.write() as session:
        at = NOW()
        role.withdraw(
            session, person=PersonId("qian-analyst"), domain="site", role="analyst", actor="he-sysadmin", at=at
        )
        role.assign(
            session, person=PersonId("gao-commander"), domain="site", role="analyst", giver="he-sysadmin", at=at
        )
        role.appoint(session, person=PersonId("lu-security"), role="security-administrator", giver="founding", at=at)
        moved = PROVINCE.read_text().replace(
            "holder: wu-ops, basis: 北辰财信〔2025〕1号", "holder: chen-dev, basis: 新令"
        )
        change.apply(session, loader.parse_province(moved), actor="he-sysadmin", at=at)
    second = come_back()
    with second.database.read() as session, realm.database.read() as before:
        assert set(role.held(session, NOW())) == set(role.held(before, NOW()))
        assert ("qian-analyst", "site", "analyst") not in role.held(session, NOW())
        assert _holders(session) == _holders(before)
        assert ("czt-operations", "chen-dev", "新令", True) in _holders(session)


def _holders(session: Session) -> set[tuple[str, str, str, bool]]:
    return {(row.post, row.person, row.basis, row.until is None) for row in session.exec(select(PostHolding))}


def test_what_cannot_be_rebuilt_is_named(realm: Realm, come_back: Return) -> None:
    realm.point()
    with realm.database.write() as session:
        renamed = PROVINCE.read_text().replace("name: 李文,", "name: 李文二,")
        change.apply(session, loader.parse_province(renamed), actor="he-sysadmin", at=NOW())
        for _ in range(3):
            evidence.append(session, Event("future.thing.made", "li-wen", "thing:1"), at=NOW())
        evidence.append(session, Event("future.thing.made", "li-wen", "thing:2", result="refused"), at=NOW())
        evidence.append(
            session, Event("registry.role.assigned", "x", "person:nobody-here", "site", details={"role": "a"}), at=NOW()
        )
    second = come_back()
    left = second.told["not_rebuilt"]
    assert isinstance(left, dict)
    assert set(left) == {
        "future.thing.made",
        "registry.person.changed",
        "registry.role.assigned",
    }
    first = _sequence(second.database, "future.thing.made")
    assert left["future.thing.made"] == f"3: {first}-{first + 2}"
    with second.database.read() as session:
        assert session.get_one(Person, "li-wen").name == "李文"
        [record] = session.exec(select(EvidenceRow).where(EvidenceRow.type == "backup.restore.reconciled")).all()
        assert b"registry.person.changed" in record.content


def _sequence(database: Database, kind: str) -> int:
    with database.read() as session:
        found = session.exec(select(func.min(EvidenceRow.sequence)).where(EvidenceRow.type == kind)).one()
    assert found is not None
    return found


def test_the_log_goes_on_from_the_mirror(realm: Realm, come_back: Return) -> None:
    realm.sequence()
    realm.issue()
    realm.point()
    for _ in range(3):
        _append(realm.database, 100)
        realm.sequence()
    _append(realm.database, 7)
    second = come_back()
    before = Mirror(realm.repository.evidence)
    second.sequence()
    _append(second.database, 1)
    second.sequence()
    size = check_ledger(second.database, second.state / "ledger", second.key())
    entries, _leaves = check_folder(realm.repository.evidence, second.key())
    assert size == len(entries) == before.size + 2 > 256
    with second.database.read() as session:
        last = session.exec(select(EvidenceRow).order_by(col(EvidenceRow.sequence).desc()).limit(2)).all()
        assert [row.type for row in last] == ["test.thing.made", "backup.restore.reconciled"]


def _append(database: Database, count: int) -> None:
    with database.write() as session:
        for number in range(count):
            evidence.append(session, Event("test.thing.made", "li", f"thing:{number}"), at=NOW())


def test_records_without_a_number_at_the_cut_get_theirs_from_the_mirror(realm: Realm, come_back: Return) -> None:
    realm.sequence()
    serial = realm.issue()
    realm.point()
    second = come_back()
    # Two of the issuance, and the intention of the point itself; its effect was there, nothing was done again.
    assert (second.told["numbered"], second.told["records"]) == (3, 1)
    with second.database.read() as session:
        assert credential.get(session, serial).state == "good"
        unnumbered = session.exec(select(EvidenceRow.type).where(col(EvidenceRow.sequence).is_(None))).all()
        assert list(unnumbered) == ["backup.restore.reconciled"]


def test_doing_it_twice_changes_nothing(realm: Realm, come_back: Return) -> None:
    realm.point()
    realm.revoke(realm.issue())
    second = come_back()
    mirror, point = Mirror(realm.repository.evidence), str(second.told["point"])
    with second.database.read() as session:
        before = _everything(session)
    again = reconcile.reconcile(second.database, mirror, point=point, at=NOW())
    assert again.as_json().items() <= second.told.items()
    with second.database.read() as session:
        assert _everything(session) == before


def _everything(session: Session) -> list[object]:
    kinds = (EvidenceRow, CrlPublication, Revocation, credential.Credential, Certificate)
    return [row.model_dump() for kind in kinds for row in session.exec(select(kind))]


def test_a_second_disaster_and_the_same_old_point(
    realm: Realm, come_back: Return, new_store: NewStore, tmp_path: Path
) -> None:
    point = realm.point()
    realm.revoke(first := realm.issue())
    second = come_back()
    second.publisher().refresh()
    second.sequence()
    with second.database.write() as session:
        at = NOW()
        held = session.exec(select(credential.Credential).where(credential.Credential.state == "good")).all()
        revocation.revoke(session, Serial(held[0].serial), reason="superseded", actor="lu-security", at=at)
        serial = held[0].serial
    second.sequence()
    told = recovery.restore(
        repository=realm.repository.path,
        identity=realm.identity,
        point=point.id,
        into=tmp_path / "third",
        store=new_store(),
    )
    database = Database(site_settings.load(tmp_path / "third", {}).site.store)
    with database.read() as session:
        for one in (first, Serial(serial)):
            assert credential.get(session, one).state == "revoked"
    database.close()
    assert told["crl_numbers"]["issuing"] > 1_000  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE evidence SET content = 'x' WHERE sequence = 5", "record 5 is another in"),
        ("UPDATE evidence SET sequence = 100000 WHERE sequence = 5", "record 5 is missing"),
        ("UPDATE evidence SET content = 'x' WHERE type = 'backup.point.begun'", "another content or number"),
        ("UPDATE ledger_checkpoint SET note = 'x'", "another in the mirror"),
    ],
)
def test_a_store_that_contradicts_the_mirror_is_refused_whole(realm: Realm, statement: str, message: str) -> None:
    realm.sequence()
    realm.point()
    realm.revoke(realm.issue())
    realm.sequence()
    with realm.database.write() as session:
        unguard(session)
        if "begun" in statement:
            # As the cut had it: the point's intention without its number, and nothing after it.
            begun = "SELECT sequence FROM evidence WHERE type = 'backup.point.begun'"
            number = session.execute(text(begun)).scalar_one()
            session.execute(text("DELETE FROM evidence WHERE sequence > :number"), {"number": number})
            session.execute(text("UPDATE evidence SET sequence = NULL WHERE sequence = :number"), {"number": number})
        binary = statement.replace("'x'", "X'78'") if realm.database.is_sqlite else statement
        session.execute(text(binary))
    with realm.database.read() as session:
        before = _everything(session)
    with pytest.raises(Damaged, match=message):
        reconcile.reconcile(realm.database, Mirror(realm.repository.evidence), point="x", at=NOW())
    with realm.database.read() as session:
        assert _everything(session) == before


def test_a_domain_role_is_replayed_in_its_domain(realm: Realm, come_back: Return) -> None:
    realm.point()
    with realm.database.write() as session:
        role.assign(
            session,
            person=PersonId("wu-ops"),
            domain=DomainId("outer-finance"),
            role="budget-editor",
            giver="zhou-head",
            at=NOW(),
        )
    second = come_back()
    with second.database.read() as session:
        assert ("outer-finance", "budget-editor") in role.roles(session, PersonId("wu-ops"), NOW())


CHANGES = """\
basis: 北辰信办〔2026〕9号 演练样本
add:
  systems:
    - {id: new-one, name: 新系统, domain: outer-public, organisation: bc-rst, in_charge: rst-head, operating: rst-head}
  devices:
    - {id: new-gate, kind: gateway, name: 新网关, system: new-one}
change:
  domains: [{id: outer-public, addresses: [10.31.0.0/16]}]
  people: [{id: li-wen, clearance: public, member_of: [outer-finance], roles: []}]
  posts: [{id: czt-head, title: 新职名}]
end:
  devices: [office-docs-app]
  applications: [docs-desk]
  agreements: [agr-2026-021]
"""


def test_the_register_is_what_it_was_before_the_loss(realm: Realm, come_back: Return) -> None:
    """Everything but what is personal: what was entered, changed, ended, handed over and signed after the point."""
    realm.point()
    with realm.database.write() as session:
        asked = changeset.parse_change_set(CHANGES, history.whole(session, NOW()))
        change.apply(session, asked.wanted, actor="lu-security", at=NOW(), ends=asked.ends, basis=asked.basis)
    with realm.database.write() as session:
        order = Order(PostId("czt-operations"), PersonId("chen-dev"), "新令", NOW() - timedelta(milliseconds=1))
        handover.hand_over(session, order, actor="lu-security", now=NOW())
        for person in ("yan-police", "zhang-hr"):
            signer = certified(session, person, NOW())
            digest = agreement.content_digest(session, "agr-2026-017")
            signature = signer.sign(content.SIGN, "agreement:agr-2026-017", digest, NOW())
            agreement.sign(session, "agr-2026-017", peer=signer.peer(NOW()), signature=signature)
    second = come_back()
    with second.database.read() as session, realm.database.read() as before:
        at = NOW()
        assert sorted(history.whole(session, at).entries(), key=repr) == sorted(
            history.whole(before, at).entries(), key=repr
        )
        for kind, name in (("domain", "outer-public"), ("system", "new-one"), ("device", "office-docs-app")):
            assert _told(session, kind, name) == _told(before, kind, name)
        assert _holders(session) == _holders(before)
        assert agreement.standing(session, "agr-2026-017", at) == agreement.standing(before, "agr-2026-017", at)
        assert agreement.standing(session, "agr-2026-021", at).state == "ended"
        held = session.exec(select(AddressRange.cidr).where(AddressRange.domain == "outer-public"))
        assert set(held) == {"10.31.0.0/16"}
    assert not {name for name in second.told["not_rebuilt"] if name.startswith("registry.")}  # type: ignore[union-attr]


def _told(session: Session, kind: str, name: str) -> list[tuple[object, ...]]:
    return [
        (row.since, row.until, row.content, row.digest, row.actor, row.record)
        for row in history.versions(session, kind, name)
    ]
