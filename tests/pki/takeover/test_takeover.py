"""An authority that ``openssl ca`` ran is taken over: what it issued, revoked, numbered, and its key by reference."""

import shutil
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import func, select

from core.errors import TrustError
from core.identity import PersonId, Serial
from core.ledger.models import EvidenceRow
from pki import authority_api, chain, plan, revocation, standing
from pki.models import CertificateHold, CrlPublication
from pki.takeover import carrying, export, staging
from pki.takeover.authority import JUMP
from pki.takeover.mapping import Mapped
from pki.takeover.models import Takeover, TakeoverItem, TakeoverPlan
from tests.pki.takeover.conftest import CARRY, FINISH, World

NAME = "issuing-legacy"
GOOD, REVOKED, HELD, NOBODYS = "li-wen-0.pem", "sun-yue-1.pem", "han-office-2.pem", "nobody-here-3.pem"


def number_of(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def openssl(world: World, *command: str) -> str:
    line = ["openssl", *command]
    done = subprocess.run(line, cwd=world.old.folder, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr


def verify(world: World, file: str) -> str:
    at = str(int(world.pki.clock.now().timestamp()))
    trust = ("-CAfile", "cacert.pem", "-CRLfile", "ours.pem", "-crl_check", "-attime", at)
    return openssl(world, "verify", *trust, file)


def ask(world: World, file: str) -> str:
    """What ``openssl ocsp`` reads in our answer."""
    about = ("-issuer", "cacert.pem", "-cert", file)
    openssl(world, "ocsp", *about, "-reqout", "question.der", "-no_nonce")
    answer = world.pki.responder.respond((world.old.folder / "question.der").read_bytes())
    (world.old.folder / "answer.der").write_bytes(answer)
    return openssl(world, "ocsp", *about, "-respin", "answer.der", "-CAfile", "cacert.pem", "-no_nonce")


def ours(world: World) -> x509.CertificateRevocationList:
    crl = x509.load_der_x509_crl(world.pki.publisher.current(NAME))
    (world.old.folder / "ours.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    return crl


def theirs(world: World) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((world.old.folder / "crl.pem").read_bytes())


def der(folder: Path, name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((folder / name).read_text())


def told(crl: x509.CertificateRevocationList) -> dict[int, tuple[object, ...]]:
    return {one.serial_number: (one.revocation_date_utc, *_reason(one)) for one in crl}


def _reason(entry: x509.RevokedCertificate) -> list[object]:
    return [one.value.reason for one in entry.extensions if isinstance(one.value, x509.CRLReason)]


def word_of(act: object) -> str:
    with pytest.raises(TrustError) as caught:
        act()  # type: ignore[operator]  # a lambda
    return caught.value.word


def test_dry_run_tells_what_comes_and_what_does_not(sqlite_world: World) -> None:
    folder = sqlite_world.read()
    found = {serial: (one.word, one.why) for serial, one in sqlite_world.judge(folder).items()}
    assert [found[one] for one in ("1000", "1001", "1002")] == [("enters", "")] * 3
    assert found["1003"] == ("left", "its names are in no register")
    assert found["1004"] == ("left", "it ended on 2021-01-01")
    assert found["1005"] == ("listed", "its names are in no register")
    assert folder.number == 0x2B
    with sqlite_world.pki.database.read() as session:
        assert [session.exec(select(one)).all() for one in (Takeover, TakeoverPlan, TakeoverItem)] == [[], [], []]


def test_taken_over_it_goes_on_under_its_name(world: World) -> None:
    old, pki, before = world.old, world.pki, theirs(world)
    row = world.take_over(("outer-finance",))
    assert (row.state, row.entered, row.listed, row.left) == ("done", 3, 1, 2)
    # Lists: signed by the old key, with what was revoked before, since when and for what, under a higher number.
    after = ours(world)
    assert "verify OK" in openssl(world, "crl", "-in", "ours.pem", "-CAfile", "cacert.pem", "-noout", "-verify")
    assert number_of(after) == 0x2B + JUMP + 1 > number_of(before)
    assert told(before) == told(after)
    assert f"{GOOD}: OK" in verify(world, GOOD)
    assert "certificate revoked" in verify(world, REVOKED)
    for file, said in ((GOOD, "good"), (REVOKED, "revoked"), (HELD, "certificateHold"), (NOBODYS, "unknown")):
        answer = ask(world, file)
        assert "Response verify OK" in answer
        assert said in answer
    # Whoever holds one of its certificates is known here; who is on hold, revoked or nobody's is not let in.
    assert pki.authenticator.authenticate(der(old.folder, GOOD)).identifier == "li-wen"
    for file, word in ((REVOKED, "revoked"), (HELD, "on-hold"), (NOBODYS, "unknown-certificate")):
        assert word_of(lambda one=file: pki.authenticator.authenticate(der(old.folder, one))) == word
    # It issues for its domain, and for no other; openssl believes what it issues.
    issued = pki.issue()
    assert pki.authenticator.authenticate(issued.der).issuer == NAME
    assert pki.authenticator.authenticate(pki.issue("han-office").der).issuer == "issuing"
    (old.folder / "fresh.pem").write_text(ssl.DER_cert_to_PEM_cert(issued.der))
    assert "fresh.pem: OK" in verify(world, "fresh.pem")
    # Revoked here, both are on the next list and in the next answer.
    for serial in (Serial(f"{0x1000:040x}"), issued.serial):
        with pki.database.write() as session:
            revocation.revoke(session, serial, reason="superseded", actor="lu-security", at=pki.clock.now())
            assert standing.of(session, serial, NAME).state == "revoked"
    pki.publisher.refresh()
    ours(world)
    for file in (GOOD, "fresh.pem"):
        assert "certificate revoked" in verify(world, file)
        assert "superseded" in ask(world, file)


def test_it_is_shown_with_its_own_chain(sqlite_world: World) -> None:
    sqlite_world.take_over()
    with sqlite_world.pki.database.read() as session:
        shown = authority_api.show(NAME, session, sqlite_world.pki.clock)
        assert (shown.state, shown.key, shown.good) == ("active", "old-ca", 1)
        assert chain.above(session, NAME) == []
    assert sqlite_world.pki.issue().serial
    assert sqlite_world.pki.authenticator.authenticate(sqlite_world.pki.issue().der).issuer == "issuing"


def count(world: World) -> int:
    with world.pki.database.read() as session:
        return session.exec(select(func.count()).select_from(EvidenceRow)).one()


def test_a_second_run_changes_nothing(sqlite_world: World) -> None:
    world = sqlite_world
    world.take_over()
    known = world.judge(world.read())
    assert [known[one].word for one in ("1000", "1001", "1002", "1005")] == ["known"] * 4
    digest, before = world.bring(world.read()), count(world)
    world.agree(digest)
    world.work_off()
    with world.pki.database.read() as session:
        row = session.get_one(TakeoverPlan, digest)
        assert (row.state, row.entered, row.listed, row.changed, row.left) == ("done", 0, 0, 0, 6)
    # Agreed and concluded; no certificate, no revocation, no number.
    assert count(world) == before + 2
    assert word_of(lambda: world.agree(digest)) == "conflict"


def test_both_run_for_a_while(world: World) -> None:
    pki, old = world.pki, world.old
    world.take_over()
    first = number_of(ours(world))
    # The old one goes on: another certificate, a revocation, lists; we hold one that is good there.
    new = old.issue("wu-ops")
    old.revoke(GOOD, "-crl_reason", "superseded")
    for _ in range(3):
        old.list()
    folder = world.read()
    found = world.judge(folder)
    assert [(found[one].word, found[one].why) for one in ("1000", "1006")] == [
        ("changes", "good here, revoked there"),
        ("enters", ""),
    ]
    digest = world.bring(folder)
    said = world.agree(digest)
    assert any("who asks the old address sees the old lists" in line for line in said)
    world.work_off()
    after = ours(world)
    assert number_of(after) > number_of(theirs(world)) + JUMP
    assert number_of(after) > first
    assert told(after) == told(theirs(world))
    assert pki.authenticator.authenticate(der(old.folder, new)).identifier == "wu-ops"
    assert "certificate revoked" in verify(world, GOOD)
    # What was revoked here stays so, whatever they say there.
    with pki.database.write() as session:
        serial = Serial(f"{0x1006:040x}")
        revocation.revoke(session, serial, reason="key-compromise", actor="lu-security", at=pki.clock.now())
    assert world.judge(world.read())["1006"].why == "revoked here, good there: it stays revoked"
    assert word_of(lambda: finish(world, 0x2A)) == "stale-plan"
    assert word_of(lambda: finish(world, number_of(after))) == "conflict"
    finish(world, number_of(theirs(world)))
    assert word_of(lambda: finish(world, 0x40)) == "takeover-over"
    assert word_of(lambda: world.judge(world.read())) == "takeover-over"


def finish(world: World, number: int) -> None:
    body, at = {"authority": NAME, "number": number, "basis": "演练样本"}, world.pki.clock.now()
    with world.pki.database.write() as session:
        assert FINISH.consequences(session, body, at)
        FINISH.carry_out(session, body, PersonId("wu-ops"), PersonId("lu-security"), at)


def test_a_hold_ends_and_may_become_a_revocation(sqlite_world: World) -> None:
    world = sqlite_world
    world.take_over()
    serial = Serial(f"{0x1002:040x}")
    with world.pki.database.read() as session:
        held = session.get_one(CertificateHold, serial)
        assert held.at < world.pki.clock.now() < held.until
    index = world.old.folder / "index.txt"
    index.write_text(index.read_text().replace("holdInstruction,holdInstructionNone", "keyCompromise"))
    world.old.list()
    assert world.judge(world.read())["1002"].word == "changes"
    world.agree(world.bring(world.read()))
    world.work_off()
    with world.pki.database.read() as session:
        assert session.get(CertificateHold, serial) is None
        assert standing.of(session, serial, NAME).reason == "key-compromise"


def test_ours_never_reach_their_numbers(sqlite_world: World) -> None:
    """Whatever they published since the last update, ours were ahead of it all the time."""
    sqlite_world.take_over()
    with sqlite_world.pki.database.read() as session:
        of = select(CrlPublication.number).where(CrlPublication.issuer == NAME)
        assert min(session.exec(of)) == 0x2B + JUMP


def test_what_cannot_be_taken_over_is_refused(sqlite_world: World, tmp_path: Path) -> None:
    world = sqlite_world
    rsa = type(world.old)(tmp_path / "rsa").make("RSA")
    assert word_of(lambda: World(world.pki, rsa).read()) == "unfit-authority"
    shutil.copy(rsa.folder / "crl.pem", world.old.folder / "crl.pem")
    assert word_of(world.read) == "unfit-authority"
    (world.old.folder / "crl.pem").unlink()
    assert world.read().number == 0x2B
    (world.old.folder / "crlnumber").unlink()
    assert word_of(world.read) == "not-found"
    (world.old.folder / "crlnumber").write_text("0x7\n")
    assert word_of(world.read) == "unreadable-table"
    with (world.old.folder / "index.txt").open("a") as file:
        file.write("V\tnever\t\t2000\tunknown\t/CN=x\n")
    (world.old.folder / "crlnumber").write_text("2C\n")
    with pytest.raises(TrustError, match=r"index\.txt:7: .*no time"):
        world.read()


def test_the_key_proves_itself_or_nothing_is_done(sqlite_world: World) -> None:
    client = sqlite_world.pki.signer.client
    spki = sqlite_world.spki(sqlite_world.header(sqlite_world.read()))
    other = client.keys()[0].spki
    purpose = client.get("issuing-ca").purpose
    assert word_of(lambda: client.adopt("not-there", spki, purpose, enter=True)) == "unknown-key"
    assert word_of(lambda: client.adopt("issuing-ca", spki, purpose, enter=True)) == "key-exists"
    assert word_of(lambda: client.adopt("spare", other, purpose, enter=True)) == "key-mismatch"
    assert word_of(lambda: client.adopt("loose", spki, purpose, enter=True)) == "unsafe-key"
    # Proved and not entered: it is none of ours.
    assert not client.adopt("spare", spki, purpose, enter=False).local
    assert word_of(lambda: client.sign("spare", bytes(32))) == "unknown-key"


def test_only_what_was_shown_and_is_whole_is_agreed_on(sqlite_world: World) -> None:
    world = sqlite_world
    folder = world.read()
    digest = world.bring(folder)
    assert world.bring(folder) == digest
    with world.pki.database.write() as session:
        row = session.get_one(TakeoverPlan, digest)
        row.state = "staged"
        item = session.get_one(TakeoverItem, (digest, 5))
        kept = item.model_dump()
        session.delete(item)
        session.flush()
        assert word_of(lambda: staging.check_whole(session, digest)) == "stale-plan"
        session.add(TakeoverItem(**{**kept, "verdict": "left"}))
        session.flush()
        assert word_of(lambda: staging.check_whole(session, digest)) == "stale-plan"
        assert word_of(lambda: staging.seal(session, digest, row.parts - 1)) == "stale-plan"
    assert word_of(lambda: world.agree(digest)) == "conflict"
    assert word_of(lambda: world.agree("0" * 64)) == "unknown-takeover"


def test_a_number_of_somebody_else_blocks_a_revocation(sqlite_world: World) -> None:
    """Two authorities that count from one: what must be on a list and cannot be there is not passed over."""
    world = sqlite_world
    serial = world.pki.issue().serial
    folder = world.read()
    folder.items[1] = folder.items[1].model_copy(update={"serial": str(serial)})
    folder.items[0] = folder.items[0].model_copy(update={"serial": str(serial)})
    found = world.judge(folder)
    assert found[serial[-4:]].word == "blocked"
    folder.items.pop(0)
    assert word_of(lambda: world.bring(folder)) == "blocked-plan"


@pytest.mark.parametrize("body", [{}, {"digest": 5, "basis": "x"}, {"digest": "0" * 64, "basis": ""}])
def test_acts_that_make_no_sense(sqlite_world: World, body: dict[str, object]) -> None:
    with sqlite_world.pki.database.read() as session:
        assert word_of(lambda: CARRY.concern(session, body, sqlite_world.pki.clock.now())) == "malformed"
        assert word_of(lambda: FINISH.concern(session, body, sqlite_world.pki.clock.now())) == "malformed"


def test_an_ejbca_folder_is_read_alike(sqlite_world: World) -> None:
    """The same authority, as its table would tell of it."""
    world, old = sqlite_world, sqlite_world.old.folder
    rows = ["serialNumber,status,revocationDate,revocationReason,expireDate,username,certificateProfileId"]
    for item in world.read().items:
        state = {"good": "20", "revoked": "40", "held": "30"}[item.state]
        code = {"": -1, "unspecified": 0, "key-compromise": 1, "certificate-hold": 6}[item.reason]
        end, at = (int(one.timestamp() * 1000) if one else -1 for one in (item.not_after, item.at))
        rows.append(f"{int(item.serial, 16)},{state},{at},{code},{end},user-{item.serial[-1]},77")
    before = world.judge(world.read())
    (old / "certificates.csv").write_text("\n".join(rows) + "\n")
    (old / "newcerts").rename(old / "certificates")
    (old / "index.txt").unlink()
    (old / "profiles").mkdir()
    (old / "profiles" / "certprofile_CLERK-77.xml").write_text("<java/>")
    folder = world.read(Mapped(names={"user-3": "person:wu-ops"}))
    assert export.read_csv((old / "certificates.csv").read_text(), "c").faults == []
    assert folder.profiles == ["77", "CLERK"]
    wrong = world.read(Mapped(profiles={"77": "emperor"}))
    assert {one.word for one in world.judge(wrong).values()} == {"blocked"}
    after = world.judge(folder)
    assert after.pop("1003").word == "enters"
    assert {serial: one.word for serial, one in after.items()} == {
        serial: one.word for serial, one in before.items() if serial != "1003"
    }
    row = world.take_over()
    assert (row.state, row.entered) == ("done", 3)


def test_nothing_of_it_is_seen_before_everything_is_in(sqlite_world: World) -> None:
    """No list of ours lacks what the old one revoked, and nobody is let in by it, however long it takes."""
    world = sqlite_world
    digest, at = world.bring(world.read()), world.pki.clock.now()
    world.agree(digest)
    world.spki(world.header(world.read()))
    for done in range(1, 6):
        with world.pki.database.write() as session:
            assert carrying.step(session, digest, at, most=1).done == done
        with world.pki.database.read() as session:
            assert NAME not in plan.listed(session, at)
        assert word_of(lambda: world.pki.authenticator.authenticate(der(world.old.folder, GOOD))) == "foreign-issuer"
    world.work_off()
    assert told(ours(world)) == told(theirs(world))
    assert world.pki.authenticator.authenticate(der(world.old.folder, GOOD)).identifier == "li-wen"


def test_times_do_not_move_by_a_take_over(sqlite_world: World) -> None:
    """A revocation is of the day on which it was made, however late it comes here."""
    world = sqlite_world
    world.pki.clock.advance(days=3)
    world.take_over()
    assert told(ours(world)) == told(theirs(world))
    assert all(one.revocation_date_utc < world.pki.clock.now() - timedelta(days=2) for one in ours(world))
