"""Verify an evidence bundle with all that others vouch for: ``guosuo-vouch BUNDLE --fingerprint F [--witness KEY]``.

Makes every check of ``guosuo_verify.py``, which stays small enough to be read in one sitting, and looks at who stands
behind the records: acts that people signed with their own keys, cosignatures of witnesses (C2SP tlog-cosignature), and
the imprints of time-stamp tokens (RFC 3161; the token itself is for ``openssl ts``). ``guosuo-vouch X.tlog-proof
--fingerprint F --key KEY`` verifies the proof of a single record (C2SP tlog-proof). One file, the standard library,
``cryptography`` and ``guosuo_verify``; no network.
"""

import argparse
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guosuo_verify import (
    HISTORY,
    STAMP,
    WITNESS,
    X509_ERRORS,
    Bundle,
    Check,
    Chronicle,
    Key,
    Life,
    Object,
    Record,
    Report,
    Signed,
    Unreadable,
    Verification,
    canonical,
    decode64,
    demand,
    fingerprint_of,
    node_hash,
    open_note,
    parse_key,
    parse_object,
    shown,
    split_note,
)

PROOF = b"c2sp.org/tlog-proof@v1\n"

#: The kind of a witness's key (C2SP tlog-cosignature).
WITNESS_KEY = 4

#: How far the time that a person signed may lie from that of its record.
SIGNED_WITHIN = timedelta(minutes=6)

#: What is signed, by the type of the record that carries the signature.
ACTS = {
    "approval.proposal.made": "approval.propose",
    "approval.proposal.resubmitted": "approval.resubmit",
    "approval.proposal.approved": "approval.approve",
    "approval.proposal.returned": "approval.return",
    "approval.proposal.rejected": "approval.reject",
    "approval.proposal.withdrawn": "approval.withdraw",
    "duty.duty.acknowledged": "duty.acknowledge",
    "duty.duty.settled": "duty.conclude",
    "ledger.record.annotated": "evidence.annotate",
    "registry.agreement.signed": "register.agreement.sign",
}
PROPOSALS = ("approval.proposal.made", "approval.proposal.resubmitted")

#: Acts that count only with a signature; a proposal is also withdrawn, without one, when its proposer leaves.
SIGNED = frozenset(one for one in ACTS if one.startswith("approval.") and not one.endswith(".withdrawn"))

#: What a record says of a decision, besides the signature: a value of another type could not be kept or written.
_DECISION: dict[str, type[int] | type[str]] = {"revision": int, "digest": str, "comment": str}

#: Most octets of a proof of one record.
LARGEST_PROOF = 131_072


def is_signed_by(key: object, signature: bytes, text: bytes) -> bool:
    """Verify by the scheme of the key's kind; RSA has two (FIPS 186-5, RFC 8017, RFC 8032)."""
    digest = hashes.SHA256()
    with suppress(InvalidSignature):
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashes.SHA384() if key.curve.name == "secp384r1" else digest))
            return True
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 3072:
        for scheme in (padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), padding.PKCS1v15()):
            with suppress(InvalidSignature):
                key.verify(signature, text, scheme, digest)
                return True
    return False


class People(Chronicle):
    """Goes through the records as ``Chronicle`` does, and holds each signed act against its record."""

    def __init__(self, report: Report, now: datetime) -> None:
        super().__init__(report, now)
        self._origin = report.origin
        self._acts = self._checks["acts"] = report.check("acts")
        self._signed = 0
        #: The digest of what is proposed, by the proposal's name and revision.
        self._proposed: dict[tuple[str, object], object] = {}

    def see(self, record: Record) -> None:
        """Take the next record."""
        super().see(record)
        if "signed" in record.details or record.type in SIGNED:
            self._check_act(record)

    def conclude(self) -> None:
        """Say what was found where nothing was wrong."""
        super().conclude()
        self._acts.found = f"{self._signed} acts carry the signature of whoever did them"

    def _check_act(self, record: Record) -> None:
        signed = record.details.get("signed")
        words = signed if isinstance(signed, dict) else {}
        text, signature, certificate = (str(words.get(name, "")) for name in ("text", "signature", "certificate"))
        try:
            plain = all(isinstance(record.details.get(name, of()), of) for name, of in _DECISION.items())
            demand(plain, "its revision is no whole number, or its digest or comment no text")
            said = parse_object(text.encode())
            made = x509.load_der_x509_certificate(decode64(certificate))
            names = [str(one.value) for one in made.subject.get_attributes_for_oid(x509.NameOID.USER_ID)]
            right = is_signed_by(made.public_key(), decode64(signature), text.encode())
            away = abs(datetime.fromisoformat(str(said.get("at", ""))) - record.at)
        except (Unreadable, *X509_ERRORS) as error:
            self._acts.fail(f"{record} carries no signature that can be read: {shown(str(error))}")
            return
        self._signed += 1
        life = self._lives.get(f"{made.serial_number:040x}", Life())
        act, on, about = self._meant(record, said)
        for holds, fault in (
            (right, "its signature is not that of the key in its certificate"),
            (names == [record.actor] and said.get("person") == record.actor, "somebody else signed it"),
            (said.get("origin") == self._origin, "it was signed for another log"),
            (said.get("act") == act and said.get("object") == on, "another act was signed, or on something else"),
            (said.get("digest") == about, "something else was signed"),
            (away <= SIGNED_WITHIN, "it was signed at another time"),
            (life.revoked is None, f"its certificate was revoked before by {life.revoked}"),
            (life.held is None, f"its certificate was put on hold before by {life.held}"),
        ):
            if not holds:
                self._acts.fail(f"{record}: {fault}")
        self._check_issuer(record, made, "issuing", "acts")

    def _meant(self, record: Record, said: Object) -> tuple[object, object, object]:
        """Return which act on what, about which digest, the signature must be for; what nobody can tell, it says."""
        on: object = record.details.get("object") if record.type == PROPOSALS[0] else record.object
        about = record.details.get("digest", said.get("digest"))
        revision = record.details.get("revision")
        if record.type in PROPOSALS:
            self._proposed[record.object, revision] = about
        elif record.type.startswith("approval.") and (record.object, revision) in self._proposed:
            decided = {
                "comment": record.details.get("comment"),
                "proposal": self._proposed[record.object, revision],
                "revision": revision,
            }
            about = hashlib.sha256(canonical(decided)).hexdigest()
        elif record.type.startswith("approval."):
            self._expect("acts", False, f"{record} decides on a proposal that no record before it made")
        return ACTS.get(record.type, said.get("act")), on if record.type in ACTS else said.get("object"), about


class Vouching(Verification):
    """One bundle against one fingerprint, and against the witnesses that the auditor trusts."""

    chronicle = People

    def __init__(
        self, bundle: Bundle, fingerprint: str, known: bytes | None, now: datetime, *, witnesses: Sequence[bytes]
    ) -> None:
        """Prepare; ``witnesses`` are verifier keys."""
        super().__init__(bundle, fingerprint, known, now)
        self._witnesses = witnesses

    def _past(self, key: Key, signed: Signed, check: Check) -> dict[int, bytes]:
        self._log, self._signed_before = key, super()._past(key, signed, check)
        return self._signed_before

    def _check_end(self, signed: Signed, last: Record | None) -> None:
        self._check_witnesses(self._log, self._signed_before)
        self._check_stamps(self._signed_before)
        super()._check_end(signed, last)

    def _check_witnesses(self, key: Key, past: dict[int, bytes]) -> None:
        """Find the newest checkpoint of this log that each trusted witness cosigned."""
        check = self.report.check("witnesses")
        notes: dict[int, bytes] = {}
        for size in self._sizes(WITNESS):
            with check:
                note = self._bundle.read(f"{WITNESS}/{size}")
                same = open_note(note, key, f"`{WITNESS}/{size}`") == (size, past.get(size))
                demand(same, f"`{WITNESS}/{size}` is not the checkpoint of {size} records in the history")
                notes[size] = note
        told = [self._newest(text, notes, check) for text in self._witnesses]
        check.found = "; ".join(told) or f"{len(notes)} cosigned checkpoints; name a witness with --witness KEY"

    def _newest(self, text: bytes, notes: dict[int, bytes], check: Check) -> str:
        with check:
            witness = parse_key(text, WITNESS_KEY)
            times = {size: cosigned_at(note, witness) for size, note in notes.items()}
            cosigned = {size: at for size, at in times.items() if at is not None}
            demand(bool(cosigned), f"{shown(witness.name)} cosigned no checkpoint of this log")
            return f"{shown(witness.name)} cosigned {max(cosigned)} records at {cosigned[max(cosigned)]}"
        return ""

    def _check_stamps(self, past: dict[int, bytes]) -> None:
        """Look for the imprint of each stamped checkpoint in its token."""
        check = self.report.check("time stamps")
        sizes = self._sizes(STAMP)
        for size in sizes:
            with check:
                demand(size in past, f"`{STAMP}/{size}.tsr` is of no checkpoint in the history")
                imprint = hashlib.sha256(self._bundle.read(f"{HISTORY}/{size}")).digest()
                held = imprint in self._bundle.read(f"{STAMP}/{size}.tsr")
                demand(held, f"`{STAMP}/{size}.tsr` does not hold the imprint of `{HISTORY}/{size}`")
        how = f"openssl ts -verify -in {STAMP}/N.tsr -data {HISTORY}/N -CAfile ROOT"
        check.found = f"{len(sizes)} tokens hold the imprint of their checkpoint; to verify one: {how}"

    def _sizes(self, folder: str) -> list[int]:
        names = (name for name in self._bundle.infos if name.startswith(f"{folder}/"))
        return sorted(int(name.split("/")[1].removesuffix(".tsr")) for name in names)


def cosigned_at(note: bytes, witness: Key) -> datetime | None:
    """Return when ``witness`` last cosigned a checkpoint, if it did (C2SP tlog-cosignature). Raises ``Unreadable``."""
    text, signatures = split_note(note, witness)
    public = Ed25519PublicKey.from_public_bytes(witness.public)
    times = []
    for signature in signatures:
        seconds = int.from_bytes(signature[:8], "big")
        with suppress(InvalidSignature, ValueError, OverflowError):
            public.verify(signature[8:], f"cosignature/v1\ntime {seconds}\n".encode() + text)
            times.append(datetime.fromtimestamp(seconds, UTC))
    return max(times, default=None)


def verify(
    path: str,
    fingerprint: str,
    *,
    known: bytes | None = None,
    witnesses: Sequence[bytes] = (),
    now: datetime | None = None,
) -> Report:
    """Verify the bundle at ``path``; whatever stands in it. Raises ``OSError`` when there is no such file."""
    with Check("bundle") as check:
        return Vouching(Bundle(path), fingerprint, known, now or datetime.now(UTC), witnesses=witnesses).run()
    return Report([check])


def verify_proof(content: bytes, fingerprint: str, key: bytes, witnesses: Sequence[bytes] = ()) -> Report:
    """Verify the proof of one record (C2SP tlog-proof) whose extra data is the record."""
    report = Report()
    with report.check("fingerprint") as check:
        demand(hashlib.sha256(key).hexdigest() == fingerprint, "the key is not the one that the fingerprint is of")
        log = parse_key(key)
        check.found = f"the key of {shown(log.name)} is the one you know"
        with report.check("record") as proving:
            number, record, hashes_, note = _split_proof(content)
            signed = open_note(note, log, "the checkpoint")
            report.origin, report.size, report.root = log.name, signed.size, signed.root.hex()
            # The hash of what is shown, never the one that a stub says of itself.
            root = climb(hashlib.sha256(b"\x00" + record).digest(), number, signed.size, hashes_)
            demand(root == signed.root, f"record {number} is not in the log of {signed.size} records")
            proving.found = f"record {number} of {signed.size}: {shown(record.decode(errors='replace'), 400)}"
        for text in witnesses:
            with report.check("witness") as witnessing:
                witness = parse_key(text, WITNESS_KEY)
                at = cosigned_at(note, witness)
                demand(at is not None, f"{shown(witness.name)} did not cosign this checkpoint")
                witnessing.found = f"{shown(witness.name)} cosigned it at {at}"
    return report


def climb(node: bytes, number: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf's path leads to (RFC 9162, 2.1.3.2). Raises ``Unreadable`` for a wrong length."""
    demand(0 <= number < size, f"a log of {size} records has no record {number}")
    last = size - 1
    for step in path:
        demand(last > 0, "the path is longer than the tree is high")
        if number & 1 or number == last:
            node = node_hash(step, node)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            node = node_hash(node, step)
        number, last = number >> 1, last >> 1
    demand(last == 0, "the path is shorter than the tree is high")
    return node


def _split_proof(content: bytes) -> tuple[int, bytes, list[bytes], bytes]:
    head, _, note = content.partition(b"\n\n")
    lines = head.decode(errors="replace").split("\n")
    demand(len(content) <= LARGEST_PROOF and content.startswith(PROOF) and len(lines) > 2, "this is no proof")
    found = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", lines[2], re.ASCII)
    if found is None or not lines[1].startswith("extra "):
        raise Unreadable("a proof names its record after `extra`, and its number after `index`")
    path = [decode64(line) for line in lines[3:]]
    demand(len(path) < 64 and all(len(one) == 32 for one in path), "a path has hashes of 32 octets, at most 63")
    return int(found[1]), decode64(lines[1].removeprefix("extra ")), path, note


def _proof(path: Path) -> bytes:
    """Return the proof in ``path``, as much of it as one may have; nothing when it is something else."""
    if path.is_fifo():
        # Nobody may ever write to it; ``verify`` says that it is not a file.
        return b""
    with path.open("rb") as file:
        head = file.read(len(PROOF))
        return head + file.read(LARGEST_PROOF + 1) if head == PROOF else b""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guosuo-vouch",
        description="Verify a bundle (or the proof of one record) offline, with all that others vouch for.",
        epilog="exit status: 0 everything holds, 1 something does not (see the FAIL lines), 2 wrong usage",
    )
    parser.add_argument("file", metavar="BUNDLE|PROOF", help="what `guosuo evidence export` or `prove` wrote")
    parser.add_argument("--fingerprint", metavar="F", required=True, type=fingerprint_of, help="64 hexadecimal digits")
    parser.add_argument("--known", metavar="FILE", help="a checkpoint that you kept from an earlier bundle")
    parser.add_argument("--witness", metavar="KEY", action="append", default=[], help="a witness's key, name+hash+key")
    parser.add_argument("--key", metavar="KEY", default="", help="for a proof: the log's key, name+hash+key")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        asked = _parser().parse_args(argv)
        witnesses = [os.fsencode(text) for text in asked.witness]
        content = _proof(Path(asked.file))
        if content:
            report = verify_proof(content, asked.fingerprint, os.fsencode(asked.key), witnesses)
        else:
            known = Path(asked.known).read_bytes() if asked.known else None
            report = verify(asked.file, asked.fingerprint, known=known, witnesses=witnesses)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except OSError as error:
        print(f"guosuo-vouch: `{error.filename}` cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    print(json.dumps(report.as_json(), indent=2) if asked.json else "\n".join(report.lines()))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
