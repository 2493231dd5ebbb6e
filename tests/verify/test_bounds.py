"""What could make the auditor's programs break off, wait for ever or fill the memory: each ends, and says why."""

import base64
import os
import resource
import time
import types
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import guosuo_verify
import guosuo_vouch
from core.ledger.entry import Event
from core.signed import Statement
from guosuo_verify import Record
from tests.core.ledger.logs import ORIGIN
from tests.core.signers import sign
from tests.verify import bundles, story
from tests.verify.conftest import Sound
from tests.verify.story import ISSUING, START, founding
from tests.verify.test_hostile import GOOD, F, encoded, run

KEY = ec.generate_private_key(ec.SECP256R1())
PERSON = "lu-security"
AT = "2026-11-20T08:00:00.000Z"


def entry(number: int, type_: str, details: Mapping[str, object], *, at: str = AT, about: str = "x:1") -> bytes:
    return encoded({**GOOD, "id": f"{number:032x}", "at": at, "type": type_, "object": about, "details": details})


def as_entry(number: int, event: Event) -> bytes:
    return entry(number, event.type, event.details, about=event.object)


def judged(*entries: bytes) -> list[str]:
    """Return what is wrong with records that follow those of a founding."""
    report = guosuo_verify.Report(origin=ORIGIN)
    people = guosuo_vouch.People(report, bundles.NOW)
    before = [as_entry(number, event) for number, event in enumerate(founding(), 1000)]
    for number, content in enumerate((*before, *entries)):
        with report.check("records"):
            people.see(guosuo_verify.parse_record(number, content))
    people.conclude()
    return [fault for check in report.checks for fault in check.faults]


def certified(*, version: int = 2, begins: bytes = b"", names: bytes = b"") -> bytes:
    """A certificate by the issuing authority, with what no builder puts into one."""
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, PERSON)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(story.name(ISSUING.title)).serial_number(900)
    builder = builder.public_key(KEY.public_key()).not_valid_before(START).not_valid_after(START + timedelta(days=90))
    if names:
        alternative = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), names)
        builder = builder.add_extension(alternative, critical=False)
    content = inside(builder.sign(ISSUING.key, hashes.SHA256()).tbs_certificate_bytes)
    content = content.replace(bytes.fromhex("a003020102"), bytes.fromhex("a0030201") + bytes([version]), 1)
    if begins:
        head, _, rest = content.partition(b"\x30\x1e\x17\x0d")
        content = head + der(0x30, der(0x18, begins) + rest[13:28]) + rest[28:]
    content = der(0x30, content)
    signature = ISSUING.key.sign(content, ec.ECDSA(hashes.SHA256()))
    return der(0x30, content + bytes.fromhex("300a06082a8648ce3d040302") + der(3, b"\0" + signature))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    long = size.to_bytes(1 if size < 256 else 2, "big")
    return bytes([tag]) + (long if size < 128 else bytes([0x80 | len(long)]) + long) + content


def inside(content: bytes) -> bytes:
    return content[2 if content[1] < 128 else 2 + (content[1] & 0x7F) :]


def act(certificate: bytes, **details: object) -> bytes:
    """A proposal, as well signed as its certificate allows."""
    text = Statement("approval.propose", "log:records", "ab" * 32, PERSON, START, ORIGIN).text
    said = {
        "text": text,
        "signature": base64.b64encode(sign(KEY, text.encode())).decode(),
        "certificate": base64.b64encode(certificate).decode(),
    }
    told = {"object": "log:records", "revision": 1, "digest": "ab" * 32, "signed": said, **details}
    return encoded({**GOOD, "actor": PERSON, "type": "approval.proposal.made", "details": told})


CERTIFICATES = {
    "a name of a kind that nobody reads": {"names": bytes.fromhex("3006a504a1020c00")},
    "a version that there is not": {"version": 5},
    "a year that there is not": {"begins": b"00000101000000Z"},
}


@pytest.mark.parametrize("what", CERTIFICATES)
def test_a_certificate_that_cannot_be_read(what: str) -> None:
    made = certified(**CERTIFICATES[what])  # type: ignore[arg-type]  # one at a time
    text = base64.b64encode(made).decode()
    serial = f"{900:040x}"
    issued = {"serial": serial, "certificate": text}
    faults = judged(entry(1, "pki.certificate.issued", issued, about=f"certificate:{serial}"))
    assert any("holds no readable certificate" in fault for fault in faults)
    # Whoever only verifies a signature by it need not read its names.
    assert bool(judged(act(made))) is ("name" not in what)


def test_a_sound_act_has_no_fault() -> None:
    assert judged(act(certified())) == []
    assert judged(act(certified(begins=f"{START:%Y%m%d%H%M%SZ}".encode()))) == []


@pytest.mark.parametrize("changed", [{"revision": [1]}, {"revision": {}}, {"digest": [[]]}, {"comment": {"a": 1}}])
def test_what_is_decided_on_has_the_right_types(changed: dict[str, object]) -> None:
    (fault,) = judged(act(certified(), **changed))
    assert "its revision is no whole number, or its digest or comment no text" in fault


@pytest.mark.parametrize("depth", range(400, 1000, 13))
def test_any_depth_of_nesting_is_read_or_refused(depth: int) -> None:
    """Where the machine gives up is its own affair; no place goes deeper than the first that read it."""
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    for name in ("comment", "digest", "revision", "more"):
        judged(act(certified(), **{name: 7777}).replace(b"7777", deep))


def test_a_time_at_either_end_of_time() -> None:
    first, last = "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"
    report = guosuo_verify.Report()
    seen = guosuo_verify.Chronicle(report, bundles.NOW)
    for number, at in enumerate((first, first, last, AT, first)):
        seen.see(guosuo_verify.parse_record(number, entry(number, "a.b", {}, at=at)))
    assert [fault.split(" (")[0] for fault in bundles.failures(report)["times"]] == ["record 2", "record 3", "record 4"]


def purge(number: int, ranges: list[list[int]]) -> Record:
    return guosuo_verify.parse_record(number, entry(7, "ledger.records.purged", {"numbers": ranges}))


def purges(stubs: int, records: int, ranges: list[list[int]]) -> int:
    """Return how many stubs are left open by records of one id that name these ranges."""
    report = guosuo_verify.Report()
    seen = guosuo_verify.Chronicle(report, bundles.NOW)
    for number in range(stubs):
        seen.see_stub(number, f"{7:032x}")
    for number in range(stubs, stubs + records):
        seen.see(purge(number, ranges))
    seen.conclude()
    return len(bundles.failures(report).get("purges", []))


def test_ranges_of_a_purge() -> None:
    assert purges(10, 1, [[0, 9]]) == 0
    assert purges(10, 1, [[0, 2], [4, 4], [9, 2**53 - 1]]) == 5
    assert purges(10, 1, [[2**53 - 1, 0], [5, 4]]) == 10
    # Only the first record of an id counts: the second is a fault, whatever it names.
    assert purges(10, 2, [[0, 8]]) == 1


def test_countless_stubs_and_ranges_take_no_longer() -> None:
    """Each stub is looked up once, however many records and ranges there are."""
    begun = time.monotonic()
    assert purges(30_000, 10, [[40_000 + 2 * number, 2**53 - 1] for number in range(4_000)]) == 30_000
    assert time.monotonic() - begun < 10


def test_countless_authorities_take_no_longer() -> None:
    report = guosuo_verify.Report()
    seen = guosuo_verify.Chronicle(report, bundles.NOW)
    made = next(one for one in founding() if one.object == "authority:issuing")
    record = guosuo_verify.parse_record(0, as_entry(0, made))
    for number in range(3_000):
        seen.see(replace(record, number=number, id=f"{number:032x}"))
    stranger = story.Issue(7, issuer=story.Authority(ISSUING.title, 0x11 << 152 | 3))
    told = stranger.issued()
    begun = time.monotonic()
    for number in range(50):
        seen.see(guosuo_verify.parse_record(10_000 + number, as_entry(number, told)))
    assert time.monotonic() - begun < 5
    assert len(bundles.failures(report)["certificates"]) >= 50


def test_little_is_kept_of_a_record() -> None:
    """Details pack so well that a small file could fill the memory."""
    more: list[list[object]] = [[] for _ in range(20_000)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = guosuo_verify.Chronicle(guosuo_verify.Report(), bundles.NOW)
    for number in range(100):
        details = {"number": number, "more": more}
        for kind in ("pki.crl.published", "pki.certificate.revoked"):
            content = entry(number, kind, details, about=f"certificate:{number}")
            seen.see(guosuo_verify.parse_record(number, content))
    # What it would be if all were kept: 200 times 20,000 lists of 56 octets, and more.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_manifest_far_longer_than_its_members(sound: Sound, tmp_path: Path) -> None:
    content = b"[" + b"[]," * 1_000_000 + b"[]]"
    path = bundles.write(tmp_path / "bundle", {**sound.members, "manifest.json": content})
    (fault,) = bundles.failures(bundles.verify(path, sound.fingerprint))["manifest"]
    assert fault.startswith(f"the manifest has {len(content)} octets")


@pytest.mark.parametrize("program", [guosuo_verify, guosuo_vouch])
def test_what_is_no_file_is_not_read_without_end(program: types.ModuleType, tmp_path: Path) -> None:
    """Also by a link that somebody left under the bundle's name."""
    os.mkfifo(tmp_path / "pipe")
    for name, target in (("device", "/dev/zero"), ("waiting", tmp_path / "pipe"), ("round", tmp_path / "round")):
        (tmp_path / name).symlink_to(target)
        done = run(str(tmp_path / name), "--fingerprint", F, program=program.__name__, most=1 << 30)
        assert done.returncode == (2 if name == "round" else 1), done.stderr
        assert "FAIL  bundle        this is not a" in done.stdout or "cannot be read" in done.stderr


def test_an_argument_that_is_no_text(sound: Sound) -> None:
    asked = (str(sound.path), "--fingerprint", sound.fingerprint, "--witness", "\udcff")
    done = run(*asked, program="guosuo_vouch")
    assert (done.returncode, done.stderr) == (1, "")
    assert "the verifier key has not the form" in done.stdout
