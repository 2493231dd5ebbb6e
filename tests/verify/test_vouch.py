"""What others vouch for: signed acts, cosignatures, time stamps, single proofs; and what stands where records went."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import guosuo_verify
import guosuo_vouch
from core import signed
from core.approval import content
from core.ledger import checkpoint, cosignature, proving
from core.ledger.checkpoint import COSIGNER_KEY
from core.ledger.entry import Event, JsonValue, encode
from core.ledger.proof import RecordProof
from core.ledger.stub import Stub, leaf_of
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import ORIGIN
from tests.core.signers import Key, sign
from tests.verify import bundles, story
from tests.verify.bundles import Members
from tests.verify.conftest import Sound
from tests.verify.story import ISSUING, START, Authority, founding
from tests.verify.test_damage import id_of, records_of, repacked, with_manifest

DIGEST = "ab" * 32
AGREED = content.decision(proposal=DIGEST, revision=1, comment="同意")
KEYS: dict[str, Callable[[], Key]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 3072),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
KEY = KEYS["p256"]()
WITNESS = MemoryCheckpointSigner(b"a witness")
WITNESS_KEY = checkpoint.verifier_key("witness.nanling.example/w1", WITNESS, COSIGNER_KEY)


def certified(key: Key, person: str = "lu-security", issuer: Authority = ISSUING, number: int = 900) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, person), x509.NameAttribute(NameOID.COMMON_NAME, "陆安全")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(story.name(issuer.title))
    builder = builder.serial_number(int(story.serial_text(number), 16)).public_key(key.public_key())
    builder = builder.not_valid_before(START).not_valid_after(START + timedelta(days=90))
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def approval(
    key: Key = KEY,
    *,
    person: str = "lu-security",
    certificate: bytes | None = None,
    digest: str = DIGEST,
    at: datetime = START,
    origin: str = ORIGIN,
    signer: Key | None = None,
    verb: str = "approval.propose",
    on: str = "log:records",
    type_: str = "approval.proposal.made",
    **changed: str,
) -> Event:
    """A proposal as ``core.approval`` records it, or a decision on it."""
    statement = signed.Statement(verb, on, digest, person, at, origin)
    said = {
        "text": statement.text,
        "signature": base64.b64encode(sign(signer or key, statement.text.encode())).decode(),
        "certificate": base64.b64encode(certificate or certified(key)).decode(),
        **changed,
    }
    details: dict[str, JsonValue] = {"act": "evidence.purge", "object": "log:records", "revision": 1, "signed": said}
    details |= {"digest": DIGEST} if type_.endswith(".made") else {"comment": "同意"}
    return Event(type_, "lu-security", "approval:1", "site", details=details)


def decided(**changed: Any) -> Event:
    """The approval of that proposal."""
    meant = {"verb": "approval.approve", "on": "approval:1", "digest": AGREED, "type_": "approval.proposal.approved"}
    return approval(**{**meant, **changed})


def judged(events: list[Event]) -> list[str]:
    """Return what is wrong with the signed acts among ``events``; nothing else may be."""
    report = guosuo_vouch.Report(origin=ORIGIN)
    people = guosuo_vouch.People(report, bundles.NOW)
    for number, event in enumerate(events):
        encoded = encode(event, identifier=f"{number:032x}", at=START)
        people.see(guosuo_verify.parse_record(number, encoded))
    people.conclude()
    found = bundles.failures(report)
    assert set(found) <= {"acts"}
    return found.get("acts", [])


@pytest.mark.parametrize("kind", KEYS)
def test_an_act_signed_with_any_kind_of_key_holds(kind: str) -> None:
    assert judged([*founding(), approval(KEYS[kind]())]) == []


STRANGER = Authority("Issuing CA", 0x11 << 152 | 2, Authority("Root CA", 0x11 << 152 | 1))
OTHER = KEYS["p256"]()


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda: approval(signer=OTHER), "not that of the key"),
        (lambda: approval(digest="cd" * 32), "something else was signed"),
        (lambda: approval(verb="approval.resubmit"), "another act was signed"),
        (lambda: approval(on="log:others"), "on something else"),
        (lambda: approval(person="wei-auditor"), "somebody else signed it"),
        (lambda: approval(certificate=certified(KEY, "wei-auditor")), "somebody else signed it"),
        (lambda: approval(origin="evidence.other.example"), "for another log"),
        (lambda: approval(at=START + timedelta(hours=1)), "at another time"),
        (lambda: approval(certificate=certified(KEY, issuer=STRANGER)), "was not issued by `issuing`"),
        (lambda: approval(text="{}"), "cannot be read|no signature"),
        (lambda: approval(text="not json"), "no signature that can be read"),
        (lambda: approval(signature="%%%"), "no signature that can be read"),
        (lambda: approval(signature=""), "not that of the key"),
        (lambda: approval(certificate=b"\x30\x00"), "no signature that can be read"),
        (lambda: Event("approval.proposal.approved", "lu-security", "approval:1"), "no signature that can be read"),
        (lambda: Event("a.b", "li", "x:1", details={"signed": "so"}), "no signature that can be read"),
    ],
)
def test_an_act_that_its_person_did_not_sign_is_named(act: Callable[[], Event], why: str) -> None:
    events = [*founding(), act()]
    found = judged(events)
    number = len(events) - 1
    assert found
    assert all(fault.startswith(f"record {number} (id {number:032x}") for fault in found)
    assert any(re.search(why, fault) for fault in found), found


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda: decided(verb="approval.reject"), "another act was signed"),
        (lambda: decided(verb="duty.acknowledge"), "another act was signed"),
        (lambda: decided(on="approval:2"), "on something else"),
        (lambda: decided(digest=DIGEST), "something else was signed"),
        (lambda: decided(digest=content.decision(proposal=DIGEST, revision=2, comment="同意")), "something else"),
    ],
)
def test_a_decision_is_on_exactly_what_was_proposed(act: Callable[[], Event], why: str) -> None:
    told = [*founding(), approval()]
    assert judged([*told, decided()]) == []
    (fault,) = judged([*told, act()])
    assert re.search(why, fault)
    assert "no record before it made" in judged([*founding(), decided()])[0]


def test_an_act_signed_after_its_certificate_was_revoked_is_named() -> None:
    issue = story.Issue(901, "lu-security")
    act = approval(certificate=certified(KEY, number=901))
    told = [*founding(), issue.intended(), issue.issued()]
    assert judged([*told, act]) == []
    assert "was revoked before by record" in judged([*told, issue.revoked(), act])[0]
    assert "was put on hold before by record" in judged([*told, issue.held(), act])[0]
    assert judged([*told, issue.held(), issue.released(), act]) == []


def verdict(path: Path, members: Members, one: Sound, *witnesses: bytes) -> dict[str, list[str]]:
    bundles.write(path / "bundle.zip", with_manifest(members))
    report = guosuo_vouch.verify(str(path / "bundle.zip"), one.fingerprint, witnesses=witnesses, now=bundles.NOW)
    assert [line for line in report.lines() if line.startswith("PASS")]
    return bundles.failures(report)


def cosigned(note: bytes, signer: MemoryCheckpointSigner = WITNESS) -> bytes:
    return note + cosignature.cosign(note, name=WITNESS_KEY.name, signer=signer, at=START)


def test_the_sound_bundles_hold_here_too(sound: Sound, wide: Sound, tmp_path: Path) -> None:
    for one in (sound, wide):
        assert verdict(tmp_path, one.members, one) == {}


def test_a_witness_is_believed_by_its_key_alone(sound: Sound, tmp_path: Path) -> None:
    key = str(WITNESS_KEY).encode()
    with_two = {
        **sound.members,
        "witness/21": cosigned(sound.members["checkpoint"]),
        "witness/5": cosigned(sound.members["checkpoints/5"]),
    }
    assert verdict(tmp_path, with_two, sound, key) == {}
    report = guosuo_vouch.verify(str(tmp_path / "bundle.zip"), sound.fingerprint, witnesses=[key], now=bundles.NOW)
    told = {check.name: check.found for check in report.checks}
    assert told["witnesses"] == f"{WITNESS_KEY.name} cosigned 21 records at {START}"
    # Others pass over them; the auditor's first program names them as members that belong.
    assert bundles.failures(bundles.verify(tmp_path / "bundle.zip", sound.fingerprint)) == {}


@pytest.mark.parametrize("damage", ["none", "other key", "other note", "other size", "bent", "garbage", "log key"])
def test_a_witness_that_did_not_say_so_is_told(sound: Sound, tmp_path: Path, damage: str) -> None:
    note = sound.members["checkpoint"]
    key = str(WITNESS_KEY).encode()
    line = cosigned(note)
    members = {
        "none": {},
        "other key": {"witness/21": cosigned(note, MemoryCheckpointSigner(b"another"))},
        "other note": {
            "witness/21": note + cosigned(sound.members["checkpoints/5"]).split(b"\n\n")[1].split(b"\n", 1)[1]
        },
        "other size": {"witness/20": line},
        "bent": {"witness/21": line[:-6] + b"AAAA\n"},
        "garbage": {"witness/21": b"\xff\xfe"},
        "log key": {"witness/21": line},
    }[damage]
    trusted = sound.members["verifier-key"] if damage == "log key" else key
    assert list(verdict(tmp_path, {**sound.members, **members}, sound, trusted)) == ["witnesses"]


def test_a_time_stamp_is_over_its_checkpoint(sound: Sound, tmp_path: Path) -> None:
    imprint = sha256(sound.members["checkpoints/5"]).digest()
    assert verdict(tmp_path, {**sound.members, "ts/5.tsr": b"\x30" + imprint + b"\x00"}, sound) == {}
    for wrong in ({"ts/5.tsr": bytes(64)}, {"ts/6.tsr": imprint}, {"ts/10.tsr": imprint}):
        assert list(verdict(tmp_path, {**sound.members, **wrong}, sound)) == ["time stamps"]


def purged(folder: Path, numbers: list[object], stubs: list[int]) -> tuple[Path, str]:
    """A log of small acts, some of them purged, with a later record that names ``numbers``."""
    told = [Event("a.b", "li", f"x:{number}") for number in range(20)]
    told += [Event("ledger.records.purged", "lu-security", "log:records", details={"numbers": numbers})]  # type: ignore[dict-item]
    path, fingerprint = bundles.told(folder, told)
    members = bundles.read(path)
    records = records_of(members)
    by = id_of(records[20])
    for number in stubs:
        records[number] = Stub(leaf_of(records[number]), by).content()
    return bundles.write(path, with_manifest(repacked(members, records))), fingerprint


def test_purged_records_are_accounted_for_by_a_later_record(tmp_path: Path) -> None:
    path, fingerprint = purged(tmp_path, [[2, 4], [9, 9]], [2, 3, 4, 9])
    for report in (bundles.verify(path, fingerprint), guosuo_vouch.verify(str(path), fingerprint, now=bundles.NOW)):
        assert bundles.failures(report) == {}
        told = {check.name: check.found for check in report.checks}
        assert told["purges"].startswith("4 records were purged")


@pytest.mark.parametrize("numbers", [[], [[2, 3]], [[2]], [["2", "4"]], [[4, 2]], "all", None, [[5, 20]]])
def test_a_stub_that_nobody_answers_for_is_named(tmp_path: Path, numbers: object) -> None:
    path, fingerprint = purged(tmp_path, numbers, [2, 3, 4])  # type: ignore[arg-type]
    found = bundles.failures(bundles.verify(path, fingerprint))
    assert list(found) == ["purges"]
    assert found["purges"][-1] == "record 4 is gone, and no later record says that it was purged"


def test_a_stub_of_another_record_is_a_changed_record(tmp_path: Path) -> None:
    path, fingerprint = purged(tmp_path, [[2, 4]], [2])
    members = bundles.read(path)
    records = records_of(members)
    records[3] = records[2]
    bundles.write(path, with_manifest(repacked(members, records)))
    found = bundles.failures(bundles.verify(path, fingerprint))
    assert found["records"][0].startswith("record 3 (id unreadable) was changed")


def proof_of(sound: Sound) -> RecordProof:
    place = bundles.place_of(bundles.opened(sound.folder).log)
    return proving.prove_record(place, 7)


def test_the_proof_of_a_single_record(sound: Sound, tmp_path: Path) -> None:
    made = proof_of(sound)
    key = sound.members["verifier-key"]
    report = guosuo_vouch.verify_proof(made.encode(), sound.fingerprint, key)
    assert bundles.failures(report) == {}
    assert id_of(made.record) in "\n".join(report.lines())
    witnessed = RecordProof(7, made.hashes, cosigned(made.note), made.record)
    report = guosuo_vouch.verify_proof(witnessed.encode(), sound.fingerprint, key, [str(WITNESS_KEY).encode()])
    assert bundles.failures(report) == {}
    for wrong, check in (
        (RecordProof(8, made.hashes, made.note, made.record), "record"),
        (RecordProof(7, made.hashes[::-1], made.note, made.record), "record"),
        (RecordProof(7, made.hashes[1:], made.note, made.record), "record"),
        (RecordProof(7, (*made.hashes, bytes(32)), made.note, made.record), "record"),
        (RecordProof(21, made.hashes, made.note, made.record), "record"),
        (RecordProof(7, made.hashes, made.note, made.record + b" "), "record"),
        # A stub says a hash of itself; what is shown is no record of this log.
        (RecordProof(7, made.hashes, made.note, Stub(leaf_of(made.record), "f" * 32).content()), "record"),
        (RecordProof(7, made.hashes, made.note.replace(b"\n21\n", b"\n22\n"), made.record), "record"),
        (made, "witness"),
    ):
        report = guosuo_vouch.verify_proof(wrong.encode(), sound.fingerprint, key, [str(WITNESS_KEY).encode()])
        assert check in bundles.failures(report)
    for proof in (b"", made.encode()[:60], made.encode().replace(b"index 7", b"index -7"), b"x" * 200_000):
        assert bundles.failures(guosuo_vouch.verify_proof(proof, sound.fingerprint, key))
    assert list(bundles.failures(guosuo_vouch.verify_proof(made.encode(), "0" * 64, key))) == ["fingerprint"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program where there is no network, not even a loopback."""
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "guosuo_vouch", *arguments]
    root = Path(guosuo_vouch.__file__).parent
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


def test_the_command_needs_no_network(sound: Sound, tmp_path: Path) -> None:
    done = run(str(sound.path), "--fingerprint", sound.fingerprint)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("VERIFIED: 21 records")
    proof, key = tmp_path / "7.tlog-proof", sound.members["verifier-key"].decode()
    proof.write_bytes(proof_of(sound).encode())
    done = run(str(proof), "--fingerprint", sound.fingerprint, "--key", key, "--json")
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)
    assert run(str(proof), "--fingerprint", sound.fingerprint, "--key", "x").returncode == 1
    for wrong in ([], [str(sound.path)], [str(tmp_path / "absent"), "--fingerprint", "0" * 64], [str(tmp_path)]):
        assert run(*wrong).returncode == 2
