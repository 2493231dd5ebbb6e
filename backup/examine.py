"""The checks of a drill, inside the sandbox, over a state that was restored and reconciled like in earnest.

The numbers of the manifest, the mirrored evidence and foreign programs are the witnesses; the store is what is judged.
"""

import os
import secrets
import shutil
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from sqlmodel import Session, col, select

from backup import archive, cut, reconcile, restore, sandbox
from backup.errors import Damaged
from backup.identity import load_identity
from backup.manifest import Manifest
from backup.mirror import Mirror
from backup.outsider import Outsider
from backup.reconcile import Outcome
from backup.repository import Repository
from backup.verdict import Examination, some
from core.database import Database
from core.identity import Serial
from core.ledger.checkpoint import parse_verifier_key, verify_checkpoint
from core.ledger.merkle import CompactRange
from core.ledger.stub import leaf_of
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyInfo
from pki import issuer, plan
from pki.models import Authority, CrlList, Revocation

#: What adds rows to which table when it is done again; every other table here keeps the manifest's number.
_GROWING: Mapping[str, tuple[str, ...]] = {
    "certificate": ("pki.certificate.issued",),
    "credential": ("pki.certificate.issued",),
    "revocation": ("pki.certificate.revoked", "pki.issuance.abandoned"),
}
_KEPT = ("organisation", "post", "security_domain", "person", "system", "device", "finding", "domain_membership")

#: Most serial numbers that OpenSSL is asked about, one by one.
_ASKED = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """What is examined: the restored state, its store and keys, and where it came from."""

    repository: Repository
    identity: Path
    state: Path
    manifest: Manifest
    outcome: Outcome
    mirror: Mirror
    database: Database
    keys: SignerClient
    work: Path


def isolation(found: Examination) -> None:
    """Nothing leads out of the sandbox."""
    ways = sandbox.ways_out()
    found.add("isolation", not ways, f"interfaces and routes beyond loopback: {some(ways)}")


def counts(found: Examination, scene: Scene) -> None:
    """The restored store holds what the manifest says, and exactly what was brought back on top."""
    with scene.database.engine.connect() as connection:
        now, _ledger = cut.measure(connection)
    before, done = scene.manifest.counts, scene.outcome.replayed
    expected = {name: before.get(name, 0) + sum(done.get(one, 0) for one in kinds) for name, kinds in _GROWING.items()}
    expected |= {name: before[name] for name in _KEPT if name in before}
    # One more than came from the mirror: the record of the reconciliation itself.
    expected["evidence"] = before["evidence"] + scene.outcome.records + 1
    wrong = [f"{name} {now.get(name)} not {number}" for name, number in expected.items() if now.get(name) != number]
    told = f"{len(expected)} tables as the manifest says plus {sum(done.values())} acts done again"
    found.add("counts", not wrong, f"{told}; differing: {some(wrong)}")


def evidence(found: Examination, scene: Scene) -> None:
    """The restored records have the root that was signed last, and begin with those of the cut."""
    with scene.database.engine.connect() as connection:
        _counts, ledger = cut.measure(connection)
    newest, at_cut = scene.mirror.notes[-1], scene.manifest.ledger
    tree, roots = CompactRange(), {0: CompactRange().root()}
    for entry in scene.mirror.entries():
        tree.append(leaf_of(entry))
        if tree.size in (at_cut.size, newest.size):
            roots[tree.size] = tree.root()
    same_end = ledger.size >= newest.size and roots[newest.size] == newest.root
    same_end = same_end and (ledger.size > newest.size or ledger.root == newest.root.hex())
    same_cut = at_cut.size > newest.size or roots[at_cut.size].hex() == at_cut.root
    detail = f"{ledger.size} records under the last mirrored checkpoint of {newest.size}, cut at {at_cut.size}"
    found.add("evidence root", same_end and same_cut, detail)


def evidence_goes_on(found: Examination, scene: Scene, run_sequencer: Callable[[], int]) -> None:
    """The sequencer accepts the restored log, numbers the reconciliation and signs with the restored key."""
    key = parse_verifier_key(scene.manifest.key)
    run_sequencer()
    grown = Mirror(scene.state / "ledger")
    verify_checkpoint(grown.notes[-1].content, key)
    detail = f"checkpoint of {scene.mirror.size} followed by one of {grown.size}, same key"
    found.add("evidence goes on", grown.size > scene.mirror.size, detail)


def keys(found: Examination, scene: Scene) -> None:
    """Every key in the inventory signs in the token, and its signature fits the public key that certificates name."""
    held = scene.keys.keys()
    known = {info.label: info for info in held}
    wrong = [label for label, info in known.items() if not _signs(scene.keys, info)]
    with scene.database.read() as session:
        for authority in session.exec(select(Authority).where(Authority.key != "")):
            key = known.get(authority.key)
            if key is None or key.spki != _spki(authority.der):
                wrong.append(f"{authority.key} of {authority.name}")
    found.add("keys", bool(known) and not wrong, f"{len(known)} keys sign in the token; failing: {some(wrong)}")


def revocations(found: Examination, scene: Scene) -> None:
    """Whatever the mirrored evidence calls revoked is revoked in the store."""
    with scene.database.read() as session:
        missing = [serial for serial in revoked(scene.mirror) if not _is_revoked(session, serial)]
    total = len(revoked(scene.mirror))
    found.add("revocations", not missing, f"{total} revoked by the evidence; not so in the store: {some(missing)}")


def revocation_list(found: Examination, scene: Scene, outsider: Outsider) -> None:
    """A client gets a list that OpenSSL verifies, that lists every revocation, under a number never used before."""
    listed = set[str]()
    with scene.database.read() as session:
        plans = plan.made(session)
        known = {one.name: issuer.get(session, one.name).der for one in plans}
        published = session.exec(select(CrlList.issuer).where(col(CrlList.der).is_not(None)).distinct()).all()
    # Of whom somebody published, and of whoever issues now in any case.
    newest = {plan.newest(plans, one.line).name for one in plans if one.is_ours}
    for name in sorted(newest.union(published)):
        crl, said = outsider.knowing(known[name]).revocation_list(name)
        listed |= {f"{entry.serial_number:040x}" for entry in crl}
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        before = scene.outcome.crl_numbers.get(name, 0)
        right = said.startswith("verify OK") and number > before
        found.add(f"revocation list of {name}", right, f"openssl: {said}; number {number} after {before}")
    missing = [serial for serial in revoked(scene.mirror) if serial not in listed]
    found.add(
        "revoked on a list", not missing, f"{len(listed)} listed; revoked by the evidence but not: {some(missing)}"
    )


def ocsp(found: Examination, scene: Scene, outsider: Outsider) -> None:
    """OpenSSL is told revoked for what is, good for what is good, unknown for what never was."""
    with scene.database.read() as session:
        good = session.exec(select(Credential.serial).where(Credential.state == CredentialState.GOOD.value)).first()
        gone = [one for one in revoked(scene.mirror) if issuer.is_sharded(_issuer(session, one))]
        asked = dict.fromkeys(map(str, gone[-_ASKED:]), "revoked")
        asked |= {good: "good"} if good else {}
        asked[f"01{secrets.token_hex(19)}"] = "unknown"
        issuers = {serial: issuer.get(session, _issuer(session, serial)).der for serial in asked}
    for serial, expected in asked.items():
        file = scene.work / "issuer.pem"
        file.write_text(ssl.DER_cert_to_PEM_cert(issuers[serial]), encoding="ascii")
        said = outsider.knowing(issuers[serial]).ask(file, serial)
        right = f": {expected}" in said and "Response verify OK" in said
        found.add(f"OCSP {expected}", right, f"{serial}: openssl says {expected}" if right else f"{serial}: {said}")


def _issuer(session: Session, serial: str) -> str:
    """Return who issued a certificate, or gave its number up."""
    held, gone = credential.find(session, Serial(serial)), session.get(Revocation, serial)
    return held.issuer if held else gone.issuer if gone else issuer.ISSUING


def controls(found: Examination, scene: Scene) -> None:
    """The checks can fail: a copy of the point and a copy of the evidence, each with one octet changed, are refused."""
    copy = Repository(scene.work / "damaged")
    copy.points.mkdir(parents=True)
    target = copy.point(scene.manifest.id)
    shutil.copyfile(scene.repository.point(scene.manifest.id), target)
    flip(target)
    with found.control("control: damaged point", "one octet changed in a copy of the point"):
        restore.check_file(copy, restore.choose(copy, scene.mirror, scene.manifest.id))
    with found.control("control: damaged content", "the same copy, decrypted without asking for its hash"):
        archive.unpack(target, load_identity(scene.identity), scene.work / "rubbish")
    shutil.copytree(scene.mirror.folder, copy.evidence, copy_function=os.symlink)
    bundle = Mirror(copy.evidence).bundle(0)
    content = bundle.read_bytes()
    bundle.unlink()
    bundle.write_bytes(content)
    flip(bundle)
    with found.control("control: damaged evidence", "one octet changed in a copy of the mirrored evidence"):
        Mirror(copy.evidence).verify(parse_verifier_key(scene.manifest.key))


def flip(path: Path) -> None:
    """Change one octet in the middle of a file."""
    with path.open("r+b") as file:
        place = path.stat().st_size // 2
        file.seek(place)
        octet = file.read(1)
        file.seek(place)
        file.write(bytes([octet[0] ^ 1]))


def revoked(mirror: Mirror) -> list[Serial]:
    """Return every serial number that the evidence calls revoked or given up, in the order of its records."""
    kinds = ("pki.certificate.revoked", "pki.issuance.abandoned")
    found = (record for record in mirror.records() if record.type in kinds)
    return list(dict.fromkeys(Serial(record.object.removeprefix("certificate:")) for record in found))


def lost_seconds(mirror: Mirror, database: Database) -> float:
    """Return how much time of the known evidence is not in the store (RPO)."""
    newest: datetime | None = None
    for record in mirror.records():
        newest = max(newest or record.at, record.at)
    with database.read() as session:
        restored = reconcile.newest_record(session)
    if newest is None or restored is None:
        raise Damaged("there is no record to measure by")
    return max(0.0, (newest - restored).total_seconds())


def _is_revoked(session: Session, serial: Serial) -> bool:
    held = credential.find(session, serial)
    entered = session.get(Revocation, serial) is not None
    return entered and (held is None or held.state == CredentialState.REVOKED)


def _signs(keys: SignerClient, info: KeyInfo) -> bool:
    data = secrets.token_bytes(32)
    signature = keys.sign(info.label, data)
    public = load_der_public_key(info.spki)
    try:
        if info.algorithm is KeyAlgorithm.ED25519:
            assert isinstance(public, ed25519.Ed25519PublicKey)
            public.verify(signature, data)
        else:
            assert isinstance(public, ec.EllipticCurvePublicKey)
            public.verify(signature, data, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


def _spki(der: bytes) -> bytes:
    return (
        x509.load_der_x509_certificate(der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
