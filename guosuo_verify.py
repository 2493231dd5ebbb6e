"""Verify an evidence bundle: ``guosuo-verify BUNDLE --fingerprint F``. For the auditor, who believes nobody.

One file, the Python standard library and ``cryptography``; nothing of the product that made the bundle, no network.
The bundle is hostile until it has been verified: nothing is unpacked to disk, every size is bounded, and whatever is
wrong becomes a FAIL line that names the record (counted from 0) where there is one to name.

Formats: C2SP tlog-tiles, tlog-checkpoint and signed-note; RFC 9162, 2.1 (Merkle tree); RFC 8785 (canonical JSON);
RFC 5280 (certificates). Exit status: 0 when everything holds, 1 when anything does not, 2 for wrong usage.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY, CHECKPOINT, MANIFEST, README, HISTORY = "verifier-key", "checkpoint", "manifest.json", "README.md", "checkpoints"

#: Entries in a full entry bundle, hashes in a full tile (C2SP tlog-tiles).
WIDTH = 256

#: The root of a tree without records (RFC 9162, 2.1.1).
EMPTY = hashlib.sha256(b"").digest()

#: Most octets of a member, by the kind of its name.
LARGEST = {"entries": WIDTH * (2 + 65_535), "tile": WIDTH * 32, "note": 16_384, MANIFEST: 1 << 26, "text": 1 << 16}

#: Most octets of the zip's directory, and the most that all members together may grow to against the file itself.
LARGEST_DIRECTORY, LARGEST_GROWTH, FREE_GROWTH = 1 << 26, 200, 1 << 26

#: How many faults of one check are told, and how far an appended time may lie before one that stands earlier.
MOST_TOLD, BACKWARDS, AHEAD = 5, timedelta(hours=1), timedelta(days=1)

#: Two publishers may finish their lists in the other order, but not further apart than this.
LIST_RACE = timedelta(minutes=2)

Object = dict[str, object]


class Unreadable(Exception):
    """Something in the bundle is not what it must be; the text says what, in one sentence."""


@dataclass
class Check:
    """One check, with what it found."""

    name: str
    faults: list[str] = field(default_factory=list)
    found: str = ""

    def fail(self, fault: str) -> None:
        """Note a fault; the check has failed."""
        self.faults.append(fault)

    def lines(self) -> Iterator[str]:
        """Print: one line when it passed, one for each of the first faults when it did not."""
        if not self.faults:
            yield f"PASS  {self.name:<13} {self.found}"
        for fault in self.faults[:MOST_TOLD]:
            yield f"FAIL  {self.name:<13} {fault}"
        if len(self.faults) > MOST_TOLD:
            yield f"FAIL  {self.name:<13} and {len(self.faults) - MOST_TOLD} more of this kind"


@dataclass
class Report:
    """Every check in the order in which they are made."""

    checks: list[Check] = field(default_factory=list)
    origin: str = ""
    size: int = 0
    root: str = ""

    def check(self, name: str) -> Check:
        """Begin a check."""
        made = Check(name)
        self.checks.append(made)
        return made

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and not any(check.faults for check in self.checks)

    def lines(self) -> Iterator[str]:
        """Print every check and the verdict."""
        for check in self.checks:
            yield from check.lines()
        if self.ok:
            yield f"VERIFIED: {self.size} records of {shown(self.origin)}, root {self.root}"
        else:
            failed = [check.name for check in self.checks if check.faults]
            yield f"NOT VERIFIED: {len(failed)} of {len(self.checks)} checks failed ({', '.join(failed)})"

    def as_json(self) -> Object:
        """Return the same for a program."""
        checks = [
            {"name": one.name, "ok": not one.faults, "detail": one.found, "faults": one.faults} for one in self.checks
        ]
        return {"ok": self.ok, "origin": self.origin, "size": self.size, "root": self.root, "checks": checks}


def shown(text: str, most: int = 80) -> str:
    """Return text from the bundle so that it can be printed: no control characters, not too long."""
    printable = "".join(one if one.isprintable() else "?" for one in text[:most])
    return printable + ("…" if len(text) > most else "")


_TILE_NAME = re.compile(r"tile/([0-9]|entries)/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[1-9][0-9]{0,2})?", re.ASCII)
_HISTORY_NAME = re.compile(rf"{HISTORY}/[1-9][0-9]{{0,15}}", re.ASCII)

#: What the zip module raises over hostile input.
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError),
    *(RuntimeError, OverflowError, MemoryError, LookupError),
)


class Bundle:
    """A zip of known members, read one at a time and never unpacked."""

    def __init__(self, path: str) -> None:
        """Open ``path``. Raises ``Unreadable`` when it is not a zip of the members that a bundle has."""
        _check_directory(path)
        try:
            self.zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise Unreadable(f"this is not a readable zip: {shown(str(error))}") from error
        self.digests: dict[str, str] = {}
        self.infos: dict[str, zipfile.ZipInfo] = {}
        self._check_members(os.path.getsize(path))

    def _check_members(self, octets: int) -> None:
        total = 0
        for info in self.zip.infolist():
            name, largest = info.filename, largest_of(info.filename)
            # The name before the zip module tidied it: an embedded NUL would cut it short.
            if largest == 0 or info.orig_filename != name:
                raise Unreadable(f"`{shown(info.orig_filename)}` is not a member of a bundle")
            if name in self.infos:
                raise Unreadable(f"the member `{name}` stands twice")
            if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Unreadable(f"the member `{name}` is encrypted or packed in an unknown way")
            if info.file_size > largest:
                raise Unreadable(f"the member `{name}` would have {info.file_size} octets, at most {largest} are right")
            total += info.file_size
            self.infos[name] = info
        if total > LARGEST_GROWTH * octets + FREE_GROWTH:
            raise Unreadable(f"the members would grow to {total} octets from a file of {octets}")

    def read(self, name: str) -> bytes:
        """Return a member's octets. Raises ``Unreadable`` when it is missing or damaged."""
        info = self.infos.get(name)
        if info is None:
            raise Unreadable(f"the member `{name}` is missing")
        try:
            with self.zip.open(info) as file:
                content = file.read(info.file_size + 1)
        except _ZIP_ERRORS as error:
            raise Unreadable(f"the member `{name}` cannot be read: {shown(str(error))}") from error
        if len(content) != info.file_size:
            raise Unreadable(f"the member `{name}` has not the size that the zip says")
        self.digests[name] = hashlib.sha256(content).hexdigest()
        return content


def _check_directory(path: str) -> None:
    """Refuse a zip whose directory alone would fill the memory, before it is read (APPNOTE 4.3.14, 4.3.16)."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65_557 - 76))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise Unreadable("this is not a zip: it has no end of directory")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    larger = tail.rfind(b"PK\x06\x06", 0, end)
    if larger >= 0:
        directory = max(directory % 0xFFFFFFFF, int.from_bytes(tail[larger + 40 : larger + 48], "little"))
    if directory > LARGEST_DIRECTORY:
        raise Unreadable(f"the zip's directory has {directory} octets, more than {LARGEST_DIRECTORY}")


def largest_of(name: str) -> int:
    """Return the most octets that a member may have; 0 for a name that no bundle has."""
    if _TILE_NAME.fullmatch(name):
        return LARGEST["entries" if name.startswith("tile/entries/") else "tile"]
    if name == CHECKPOINT or _HISTORY_NAME.fullmatch(name):
        return LARGEST["note"]
    return {MANIFEST: LARGEST[MANIFEST], README: LARGEST["text"], KEY: 1024}.get(name, 0)


class Key(NamedTuple):
    """The log's key with the name it signs under."""

    name: str
    public: bytes
    hash: bytes


class Signed(NamedTuple):
    """A checkpoint whose signature was verified."""

    size: int
    root: bytes


def decode64(text: str) -> bytes:
    """Return base64's octets; one text for one value. Raises ``Unreadable``."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Unreadable("its base64 cannot be read") from error
    if base64.b64encode(value).decode() != text:
        raise Unreadable("its base64 is not in its one form")
    return value


def parse_key(content: bytes) -> Key:
    """Read ``name+hash+key`` (C2SP signed-note), Ed25519 only. Raises ``Unreadable``."""
    try:
        name, digest, encoded = content.decode().split("+", 2)
    except ValueError as error:
        raise Unreadable("the verifier key has not the form `name+hash+key`") from error
    material = decode64(encoded)
    if not name or re.search(r"[\s+]", name) or len(material) != 33 or material[0] != 1:
        raise Unreadable("the verifier key is not an Ed25519 key with a name")
    expected = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    if digest != expected.hex():
        raise Unreadable("the verifier key does not have the hash that stands in it")
    return Key(name, material[1:], expected)


def open_note(note: bytes, key: Key) -> Signed:
    """Verify a signed checkpoint and return what it says. Raises ``Unreadable``."""
    try:
        text, separator, block = note.decode().rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    if not separator or not block.endswith("\n"):
        raise Unreadable("it is not a signed note")
    signatures = []
    for line in block[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—":
            raise Unreadable("a signature line has not the form `— name base64`")
        blob = decode64(parts[2])
        if parts[1] == key.name and blob[:4] == key.hash:
            signatures.append(blob[4:])
    if len(signatures) != 1:
        raise Unreadable(f"it carries {len(signatures)} signatures of this key, not one")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signatures[0], f"{text}\n".encode())
    except (InvalidSignature, ValueError) as error:
        raise Unreadable("its signature does not verify") from error
    return _parse_checkpoint(text.split("\n"), key.name)


def _parse_checkpoint(lines: list[str], name: str) -> Signed:
    if len(lines) != 3 or lines[0] != name or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1], re.ASCII):
        raise Unreadable("it is not a checkpoint of this log: its name, a number and a root, each in a line")
    root = decode64(lines[2])
    if len(root) != 32:
        raise Unreadable("its root has not 32 octets")
    return Signed(int(lines[1]), root)


def leaf_hash(entry: bytes) -> bytes:
    """RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots_at(leaves: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """Return the root over the first n leaves for every n of ``sizes`` that there are leaves for."""
    wanted = sorted({size for size in sizes if size <= len(leaves)}, reverse=True)
    roots: dict[int, bytes] = {}
    stack: list[bytes] = []
    for count in range(len(leaves) + 1):
        if wanted and wanted[-1] == count:
            wanted.pop()
            roots[count] = reduce(lambda right, left: node_hash(left, right), reversed(stack)) if stack else EMPTY
        if count < len(leaves):
            node, rest = leaves[count], count
            while rest & 1:
                node, rest = node_hash(stack.pop(), node), rest >> 1
            stack.append(node)
    return roots


def tile_name(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return a tile's path (C2SP tlog-tiles)."""
    name = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        name = f"x{index % 1000:03}/{name}"
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def names_of(level: int | str, count: int) -> list[str]:
    """Return the tiles of a level that holds ``count`` hashes (or entries)."""
    return [tile_name(level, start // WIDTH, min(WIDTH, count - start)) for start in range(0, count, WIDTH)]


def hash_levels(leaves: list[bytes]) -> Iterator[list[bytes]]:
    """Return the hashes in the tiles of level 0, 1, 2 …: each is the root of a full tile of the level below."""
    level = leaves
    while level:
        yield level
        full = range(0, len(level) - WIDTH + 1, WIDTH)
        level = [roots_at(level[start : start + WIDTH], [WIDTH])[WIDTH] for start in full]


def expected_tiles(size: int) -> list[str]:
    """Return the name of every tile and entry bundle of a log of ``size``."""
    names, level, count = names_of("entries", size), 0, size
    while count:
        names += names_of(level, count)
        level, count = level + 1, count // WIDTH
    return names


_FIELDS = {"v", "id", "at", "type", "actor", "object", "domain", "result", "details"}
_LONGEST = {"type": 80, "actor": 120, "object": 200, "domain": 80, "result": 20}
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+", re.ASCII)
_SAFE_INTEGER = 2**53 - 1


def _integer(text: str) -> int:
    """Read a whole number that every JSON reader knows exactly; fractions and constants raise ``ValueError``."""
    if len(text) > 17 or abs(int(text)) > _SAFE_INTEGER:
        raise ValueError(f"`{shown(text, 20)}` is larger than a JSON number may be")
    return int(text)


def canonical(value: object) -> bytes:
    """Return the canonical form (RFC 8785) of a value without fractions; keys sort by UTF-16 code units."""
    return json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":")).encode()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=lambda key: str(key).encode("utf-16-be"))}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def parse_object(content: bytes) -> Object:
    """Read a canonical JSON object. Raises ``Unreadable``."""
    try:
        value = json.loads(content.decode(), parse_float=_integer, parse_constant=_integer, parse_int=_integer)
        same = canonical(value) == content
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON of the kind that evidence holds ({shown(str(error))})") from error
    if not same:
        raise Unreadable("it is not in the canonical form of RFC 8785")
    if not isinstance(value, dict):
        raise Unreadable("it is not a JSON object")
    return value


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``number`` counts from 0."""

    number: int
    id: str
    at: datetime
    type: str
    actor: str
    object: str
    result: str
    details: Object

    def __str__(self) -> str:
        """Name the record."""
        return f"record {self.number} (id {self.id}, {self.type})"

    def word(self, name: str) -> str:
        """Return a text of the details, empty when it is not there."""
        value = self.details.get(name)
        return value if isinstance(value, str) else ""

    @property
    def serial(self) -> str:
        """Return the serial number in ``certificate:SERIAL``, or else the one in the details."""
        kind, _, serial = self.object.partition(":")
        return serial if kind == "certificate" else self.word("serial")


def parse_record(number: int, content: bytes) -> Record:
    """Read a record. Raises ``Unreadable``."""
    value = parse_object(content)
    if set(value) != _FIELDS or value["v"] != 1 or not isinstance(value["details"], dict):
        raise Unreadable("its fields are not those of a record")
    texts = {name: value[name] for name in (*_LONGEST, "id", "at")}
    words = {name: text for name, text in texts.items() if isinstance(text, str)}
    if len(words) != len(texts) or any(len(words[name]) > most for name, most in _LONGEST.items()):
        raise Unreadable("one of its fields is not a text, or too long")
    if not re.fullmatch(r"[0-9a-f]{32}", words["id"]) or not _TYPE.fullmatch(words["type"]):
        raise Unreadable("its id or its type is not in the right form")
    if words["result"] not in ("done", "refused"):
        raise Unreadable("its result is neither `done` nor `refused`")
    try:
        at = datetime.fromisoformat(words["at"] if _AT.fullmatch(words["at"]) else "")
    except ValueError as error:
        raise Unreadable(f"`{shown(words['at'], 40)}` is not a time in UTC with milliseconds") from error
    kind, actor, thing, result = (words[name] for name in ("type", "actor", "object", "result"))
    return Record(number, words["id"], at, kind, actor, thing, result, value["details"])


def split_entries(content: bytes) -> tuple[list[bytes], str]:
    """Split an entry bundle; also return what is wrong with its form, or nothing."""
    found: list[bytes] = []
    position = 0
    while position < len(content):
        end = position + 2 + int.from_bytes(content[position : position + 2], "big")
        if end > len(content) or position + 2 > len(content):
            return found, f"reaches beyond the end of its entry bundle after {len(content) - position} octets"
        if len(found) == 2 * WIDTH:
            return found, "is one of far too many in its entry bundle"
        found.append(content[position + 2 : end])
        position = end
    return found, ""


def name_entry(number: int, content: bytes | None) -> str:
    """Name a record that may be damaged: its number, and its id when that can still be read."""
    found = re.search(rb'"id":"([0-9a-f]{32})"', content or b"")
    return f"record {number} (id {found.group(1).decode() if found else 'unreadable'})"


@dataclass
class Life:
    """What the log tells of one serial number; each is the number of a record."""

    intended: int | None = None
    issued: int | None = None
    abandoned: int | None = None
    revoked: int | None = None
    holder: str = ""


class Chronicle:
    """Goes through the records in their order and holds each against those before it."""

    def __init__(self, report: Report, now: datetime) -> None:
        self._now = now
        self._ids: dict[str, int] = {}
        self._latest: datetime | None = None
        self._lives: dict[str, Life] = {}
        self._authorities: dict[str, list[x509.Certificate]] = {}
        self._allowed: dict[tuple[str, str], tuple[int, str]] = {}
        self._lists: dict[tuple[str, int], Record] = {}
        self._newest_list: dict[str, tuple[int, Record]] = {}
        self._counts = {"issued": 0, "revoked": 0, "decisions": 0, "alerts": 0}
        names = ("ids", "times", "issuance", "certificates", "revocation", "decisions", "alerts", "crl numbers")
        self._checks = {name: report.check(name) for name in names}

    def see(self, record: Record) -> None:
        """Take the next record."""
        first = self._ids.setdefault(record.id, record.number)
        if first != record.number:
            self._fail("ids", f"{record} has the id of record {first}")
        self._check_time(record)
        handler = _HANDLERS.get(record.type)
        if handler is not None:
            handler(self, record)

    def conclude(self) -> None:
        """Say what was found where nothing was wrong."""
        count = self._counts
        found = {
            "ids": f"{len(self._ids)} records, no id twice",
            "times": f"records go forward in time, the last is of {self._latest}",
            "issuance": f"{count['issued']} certificates issued, each intended before, no serial number twice",
            "certificates": f"{count['issued']} certificates lead to the root that the records hold",
            "revocation": f"{count['revoked']} revocations, each of a certificate issued before",
            "decisions": f"{count['decisions']} decisions, none allows a certificate after its revocation",
            "alerts": f"{count['alerts']} alerts name a person, each leads to its request and certificate",
            "crl numbers": f"{len(self._lists)} revocation lists, numbers only rise",
        }
        for name, text in found.items():
            self._checks[name].found = text

    def _fail(self, name: str, fault: str) -> None:
        self._checks[name].fail(fault)

    def _check_time(self, record: Record) -> None:
        if self._latest is not None and record.at < self._latest - BACKWARDS:
            self._fail("times", f"{record} is of {record.at}, but a record before it is of {self._latest}")
        if record.at > self._now + AHEAD:
            self._fail("times", f"{record} is of {record.at}, which is in the future")
        self._latest = record.at if self._latest is None else max(self._latest, record.at)

    def _life(self, record: Record) -> Life:
        return self._lives.setdefault(record.serial, Life())

    def _intended(self, record: Record) -> None:
        life = self._life(record)
        if life.intended is not None:
            self._fail("issuance", f"{record} takes the serial number of record {life.intended}")
            return
        life.intended = record.number

    def _abandoned(self, record: Record) -> None:
        life = self._life(record)
        if life.intended is None or life.issued is not None:
            self._fail("issuance", f"{record} gives up serial {shown(record.serial)}, which was not open")
        life.abandoned = record.number

    def _issued(self, record: Record) -> None:
        self._counts["issued"] += 1
        life = self._outcome(record)
        life.holder = record.word("holder")
        read = self._certificate(record)
        if read is not None:
            if read[1]:
                self._fail("certificates", f"{record} holds a certificate that could issue others")
            self._check_issuer(record, read[0], record.word("issuer"))

    def _made(self, record: Record) -> None:
        self._outcome(record)
        name = record.object.partition(":")[2]
        read = self._certificate(record)
        if read is None:
            return
        made, authority = read
        if name in ("root", "issuing") and not authority:
            self._fail("certificates", f"{record} makes an authority of a certificate that is none")
        if name == "root" and self._authorities.get(name):
            self._fail("certificates", f"{record} makes a second root")
        self._authorities.setdefault(name, []).append(made)
        self._check_issuer(record, made, "issuing" if name not in ("root", "issuing") else "root")

    def _outcome(self, record: Record) -> Life:
        """Hold the outcome of an issuance against its intention."""
        life = self._life(record)
        serial = shown(record.serial)
        if record.word("serial") != record.serial:
            self._fail("issuance", f"{record} names two serial numbers")
        if life.issued is not None:
            self._fail("issuance", f"{record} issues serial {serial}, issued before by record {life.issued}")
        elif life.intended is None:
            self._fail("issuance", f"{record} issues serial {serial}, which no record before it intended")
        elif life.abandoned is not None:
            self._fail("issuance", f"{record} issues serial {serial}, given up before by record {life.abandoned}")
        life.issued = record.number
        return life

    def _certificate(self, record: Record) -> tuple[x509.Certificate, bool] | None:
        """Read the certificate in a record and hold it against what the record says of it."""
        try:
            made = x509.load_der_x509_certificate(decode64(record.word("certificate")))
            facts, authority = _facts(made), _is_authority(made.extensions)
        except (Unreadable, *_X509_ERRORS) as error:
            self._fail("certificates", f"{record} holds no readable certificate: {shown(str(error))}")
            return None
        for name, value in facts.items():
            if name in record.details and record.details[name] != value:
                self._fail("certificates", f"{record} says another {name} than its certificate")
        if facts["serial"] != record.serial:
            self._fail("certificates", f"{record} holds the certificate of serial {facts['serial']}")
        return made, authority

    def _check_issuer(self, record: Record, made: x509.Certificate, issuer: str) -> None:
        above = self._authorities.get(issuer, [])
        if not any(_is_issued_by(made, one) for one in above):
            why = "no signature of it verifies" if above else "no record before it made that authority"
            self._fail("certificates", f"{record}: its certificate was not issued by `{shown(issuer)}`: {why}")

    def _revoked(self, record: Record) -> None:
        self._counts["revoked"] += 1
        life = self._life(record)
        if life.issued is None and life.abandoned is None:
            self._fail("revocation", f"{record} revokes serial {shown(record.serial)}, which was never issued")
        if life.revoked is not None:
            self._fail("revocation", f"{record} revokes again what record {life.revoked} revoked")
            return
        life.revoked = record.number
        if life.holder and record.word("holder") != life.holder:
            self._fail("revocation", f"{record} names another holder than the one it was issued to")

    def _decided(self, record: Record) -> None:
        self._counts["decisions"] += 1
        if record.result != "done":
            return
        serial = record.word("serial")
        life = self._lives.get(serial, Life())
        if life.revoked is not None:
            self._fail("decisions", f"{record} allows serial {shown(serial)}, revoked before by record {life.revoked}")
        elif life.issued is None:
            self._fail("decisions", f"{record} allows serial {shown(serial)}, which no record before it issued")
        self._allowed.setdefault((record.word("request_id"), serial), (record.number, record.actor))

    def _alert(self, record: Record) -> None:
        if record.word("state") != "named":
            return
        self._counts["alerts"] += 1
        request, serial, person = record.word("request_id"), record.word("serial"), record.word("person")
        decision = self._allowed.get((request, serial))
        if decision is None:
            self._fail("alerts", f"{record} names request {shown(request)}, which no record allowed to its certificate")
        elif decision[1] != person:
            self._fail("alerts", f"{record} names {shown(person)}, but record {decision[0]} allowed somebody else")
        if self._lives.get(serial, Life()).holder != person:
            self._fail("alerts", f"{record} names {shown(person)}, to whom serial {shown(serial)} was not issued")

    def _listed(self, record: Record) -> None:
        number = record.details.get("number")
        if not isinstance(number, int) or isinstance(number, bool):
            self._fail("crl numbers", f"{record} has no list number")
            return
        before = self._lists.setdefault((record.object, number), record)
        if before is not record:
            self._fail("crl numbers", f"{record} uses list number {number} of record {before.number} again")
        highest, newest = self._newest_list.get(record.object, (-1, record))
        if number > highest:
            self._newest_list[record.object] = (number, record)
        elif abs(record.at - newest.at) > LIST_RACE:
            self._fail("crl numbers", f"{record} goes back to list number {number} after record {newest.number}")


_HANDLERS: dict[str, Callable[[Chronicle, Record], None]] = {
    "pki.issuance.intended": Chronicle._intended,
    "pki.issuance.abandoned": Chronicle._abandoned,
    "pki.certificate.issued": Chronicle._issued,
    "pki.authority.made": Chronicle._made,
    "pki.certificate.revoked": Chronicle._revoked,
    "pki.crl.published": Chronicle._listed,
    "authz.decision.made": Chronicle._decided,
    "monitor.leak.found": Chronicle._alert,
    "monitor.leak.attributed": Chronicle._alert,
}

#: What reading or checking a hostile certificate raises.
_X509_ERRORS = (
    *(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.ExtensionNotFound),
)


def _facts(made: x509.Certificate) -> dict[str, str]:
    spki = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "serial": f"{made.serial_number:040x}",
        "certificate_sha256": hashlib.sha256(made.public_bytes(Encoding.DER)).hexdigest(),
        "spki_sha256": hashlib.sha256(spki).hexdigest(),
        "not_before": f"{made.not_valid_before_utc:%Y-%m-%dT%H:%M:%S}.000Z",
        "not_after": f"{made.not_valid_after_utc:%Y-%m-%dT%H:%M:%S}.000Z",
    }


def _is_authority(extensions: x509.Extensions) -> bool:
    return any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in extensions)


def _is_issued_by(made: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        made.verify_directly_issued_by(issuer)
    except _X509_ERRORS:
        return False
    return issuer.not_valid_before_utc <= made.not_valid_before_utc <= issuer.not_valid_after_utc


class Verification:
    """One bundle against one fingerprint."""

    def __init__(self, bundle: Bundle, fingerprint: str, known: bytes | None, now: datetime) -> None:
        """Prepare; ``known`` is a checkpoint that the auditor kept from an earlier bundle."""
        self._bundle = bundle
        self._fingerprint = fingerprint
        self._known = known
        self._now = now
        self.report = Report()
        self._leaves: list[bytes] = []
        #: The records next to a signed checkpoint, and how they are named.
        self._edges: set[int] = set()
        self._names: dict[int, str] = {}

    def run(self) -> None:
        """Make every check, as far as each can be made."""
        key = self._check_key()
        signed = self._check_checkpoint(key) if key else None
        if key is None or signed is None or not self._check_members(signed):
            return
        history = Check("history")
        past = self._past(key, signed, history)
        self._edges = {number for size in past for number in (size - 1, size)} | {0}
        tiled = self._read_hashes(signed)
        last = self._check_records(signed, tiled)
        self._check_upper_tiles(tiled)
        self._check_root(signed, past, history)
        if self._known is not None:
            self._check_known(key, self._known)
        self._check_end(signed, last)
        self._check_manifest(signed)

    def _check_key(self) -> Key | None:
        check = self.report.check("fingerprint")
        try:
            content = self._bundle.read(KEY)
            found = hashlib.sha256(content).hexdigest()
            if found != self._fingerprint:
                check.fail(f"the bundle's key has the fingerprint {found}: it is another key than the one you know")
            key = parse_key(content)
        except Unreadable as fault:
            check.fail(str(fault))
            return None
        check.found = f"the key of {shown(key.name)} is the one you know"
        return key

    def _check_checkpoint(self, key: Key) -> Signed | None:
        check = self.report.check("checkpoint")
        try:
            signed = open_note(self._bundle.read(CHECKPOINT), key)
        except Unreadable as fault:
            check.fail(f"the checkpoint: {fault}")
            return None
        self.report.origin, self.report.size, self.report.root = key.name, signed.size, signed.root.hex()
        check.found = f"signed for {signed.size} records with root {signed.root.hex()}"
        return signed

    def _check_members(self, signed: Signed) -> bool:
        """Hold the names against those of a log of this size; return whether there is anything to go on with."""
        check = self.report.check("members")
        present = set(self._bundle.infos)
        # A checkpoint may say any size: no more names are made than there could be.
        if signed.size > len(present) * WIDTH:
            check.fail(f"records are missing: {len(present)} members cannot hold {signed.size} records")
            return False
        expected = {KEY, CHECKPOINT, MANIFEST, README, *expected_tiles(signed.size)}
        expected |= {name for name in present if name.startswith(f"{HISTORY}/")}
        for name in sorted(expected - present):
            check.fail(f"the member `{name}` is missing")
        for name in sorted(present - expected):
            check.fail(f"the member `{name}` does not belong to a log of {signed.size} records")
        check.found = f"all {len(expected)} files of a log of {signed.size} records"
        return True

    def _read_hashes(self, signed: Signed) -> list[bytes]:
        """Return the hashes that the tiles of level 0 hold, as far as they can be read."""
        check = self.report.check("tiles")
        hashes: list[bytes] = []
        for name in names_of(0, signed.size):
            content = self._read(name, check)
            hashes += [content[start : start + 32] for start in range(0, len(content), 32)]
            if len(content) % 32 or (len(hashes) % WIDTH and len(hashes) < signed.size):
                check.fail(f"the tile `{name}` does not hold as many hashes as it must")
                break
        return hashes

    def _read(self, name: str, check: Check) -> bytes:
        try:
            return self._bundle.read(name)
        except Unreadable as fault:
            check.fail(str(fault))
            return b""

    def _check_records(self, signed: Signed, tiled: list[bytes]) -> Record | None:
        check = self.report.check("records")
        chronicle = Chronicle(self.report, self._now)
        last: Record | None = None
        for index, name in enumerate(names_of("entries", signed.size)):
            entries, broken = split_entries(self._read(name, check))
            first = index * WIDTH
            width = min(WIDTH, signed.size - first)
            self._leaves += [leaf_hash(entry) for entry in entries]
            if broken or self._leaves[first:] != tiled[first : first + width]:
                check.fail(self._first_wrong(first, width, entries, tiled, broken))
            for number, entry in enumerate(entries, first):
                try:
                    last = parse_record(number, entry)
                    chronicle.see(last)
                except Unreadable as fault:
                    check.fail(f"{name_entry(number, entry)}: {fault}")
                if number in self._edges:
                    self._names[number] = name_entry(number, entry)
            if len(entries) != width:
                # From here on numbers would be shifted: nothing that follows could be named rightly.
                break
        chronicle.conclude()
        check.found = f"{len(self._leaves)} records, each canonical and the one whose hash is in the tree"
        return last

    def _first_wrong(self, first: int, width: int, entries: list[bytes], tiled: list[bytes], broken: str) -> str:
        """Name the first record of a bundle whose hash is not the one in the tile, and say what seems to be done."""
        found = self._leaves[first:]
        wanted = tiled[first : first + width + 1]
        place = 0
        while place < min(len(found), width, len(wanted)) and found[place] == wanted[place]:
            place += 1
        number = first + place
        if place >= len(entries):
            missing = f"record {number} and what follows it in its bundle is missing: {place} of {width} are there"
            return f"{missing}; the entry {broken}" if broken else f"{missing}, the tail was cut"
        following, next_wanted = found[place + 1 : place + 2], wanted[place + 1 : place + 2]
        comes_next, came_early = following == wanted[place : place + 1], next_wanted == found[place : place + 1]
        how = "was changed: its hash is not the one in the tree"
        if place >= width:
            how = "was added: the signed log has no such record here"
        elif place >= len(wanted):
            how = "has no hash in the tiles to compare with"
        elif comes_next and came_early:
            how = "and the one after it stand in each other's place"
        elif comes_next:
            how = "was added: the record that belongs here comes after it"
        elif came_early:
            how = "stands in the place of a record that was dropped: it belongs after that one"
        return f"{name_entry(number, entries[place])} {how}"

    def _check_upper_tiles(self, tiled: list[bytes]) -> None:
        """Recompute the tiles above level 0 from those of level 0."""
        check = next(one for one in self.report.checks if one.name == "tiles")
        count = 0
        for level, hashes in enumerate(hash_levels(tiled)):
            for index, name in enumerate(names_of(level, len(hashes))):
                count += 1
                content = self._read(name, check) if level else None
                if content is not None and content != b"".join(hashes[index * WIDTH : (index + 1) * WIDTH]):
                    span = WIDTH ** (level + 1)
                    check.fail(f"the tile `{name}` is not that of its records (from record {index * span})")
        check.found = f"{count} tiles of hashes, each recomputed"

    def _check_root(self, signed: Signed, past: dict[int, bytes], history: Check) -> None:
        """Recompute the root from the records, now and at every checkpoint before."""
        check = self.report.check("root")
        roots = roots_at(self._leaves, [signed.size, *past])
        if roots.get(signed.size) != signed.root:
            check.fail(f"the {len(self._leaves)} records do not lead to the signed root{self._where(past, roots)}")
        broken = [size for size, root in sorted(past.items()) if roots.get(size) != root]
        if broken:
            history.fail(f"`{HISTORY}/{broken[0]}` was signed for other records{self._where(past, roots)}")
        self.report.checks.append(history)
        check.found = f"{len(self._leaves)} records lead to the signed root"
        history.found = f"the log begins with what each of {len(past)} checkpoints was signed for"

    def _past(self, key: Key, signed: Signed, check: Check) -> dict[int, bytes]:
        """Return the roots that were signed before, by size."""
        past: dict[int, bytes] = {}
        for name in self._bundle.infos:
            if not name.startswith(f"{HISTORY}/"):
                continue
            try:
                found = open_note(self._bundle.read(name), key)
            except Unreadable as fault:
                check.fail(f"the checkpoint `{name}`: {fault}")
                continue
            if name != f"{HISTORY}/{found.size}" or found.size > signed.size:
                check.fail(f"`{name}` is signed for {found.size} records, the bundle's checkpoint for {signed.size}")
            else:
                past[found.size] = found.root
        if past.get(signed.size) != signed.root:
            check.fail(f"the history does not hold the checkpoint of {signed.size} records itself")
        return past

    def _check_known(self, key: Key, known: bytes) -> None:
        check = self.report.check("known")
        try:
            kept = open_note(known, key)
        except Unreadable as fault:
            check.fail(f"the checkpoint that you kept: {fault}")
            return
        if roots_at(self._leaves, [kept.size]).get(kept.size) != kept.root:
            check.fail(f"record {kept.size - 1} or one before it is not there as it was at the checkpoint you kept")
        check.found = f"the log begins with the {kept.size} records of the checkpoint that you kept"

    def _where(self, past: dict[int, bytes], roots: dict[int, bytes]) -> str:
        """Narrow down by the signed checkpoints: the last that holds, and the first after it that does not."""
        good = 0
        for size, root in sorted(past.items()):
            if roots.get(size) != root:
                first, last = (self._names.get(number, f"record {number}") for number in (good, size - 1))
                return f": the first change lies from {first} to {last}"
            good = size
        return f": every record before record {good} is as it was signed"

    def _check_end(self, signed: Signed, last: Record | None) -> None:
        check = self.report.check("end")
        if last is None or last.number != signed.size - 1 or last.type != "ledger.bundle.exported":
            check.fail(f"record {signed.size - 1}, the last that was signed, is not there as the record of this export")
        else:
            check.found = f"ends with the export by {shown(last.actor)} at {last.at:%Y-%m-%d %H:%M:%S} UTC"

    def _check_manifest(self, signed: Signed) -> None:
        check = self.report.check("manifest")
        try:
            self._bundle.read(README)
            manifest = parse_object(self._bundle.read(MANIFEST))
        except Unreadable as fault:
            check.fail(f"the manifest or the read-me: {fault}")
            return
        head = {"v": 1, "origin": self.report.origin, "size": signed.size, "root": signed.root.hex()}
        members = manifest.pop("members", None)
        if manifest != head or not isinstance(members, dict):
            check.fail("the manifest is not that of this checkpoint")
            return
        found = {name: digest for name, digest in self._bundle.digests.items() if name != MANIFEST}
        for name in sorted(set(found) | set(map(str, members))):
            if found.get(name) != members.get(name):
                check.fail(f"the member `{shown(name)}` is not the one in the manifest")
        check.found = f"{len(found)} members, each as the manifest says"


def verify(path: str, fingerprint: str, *, known: bytes | None = None, now: datetime | None = None) -> Report:
    """Verify the bundle at ``path``; whatever stands in it. Raises ``OSError`` when there is no such file."""
    try:
        bundle = Bundle(path)
    except Unreadable as fault:
        report = Report()
        report.check("bundle").fail(str(fault))
        return report
    verification = Verification(bundle, fingerprint, known, now or datetime.now(UTC))
    verification.run()
    bundle.zip.close()
    return verification.report


_EPILOG = """\
The fingerprint is the SHA-256 of the log's verifier key. Get it on paper or face to face, never from the bundle itself.
`guosuo evidence export` prints it; by hand: unzip -p BUNDLE verifier-key | sha256sum

Checked from the bottom up: the key is the one you know and signed the checkpoint; every record is canonical JSON and
unchanged; hashes, tiles and root are recomputed from the records; what was signed before still holds; and the records
agree: certificates lead to the root and were intended before they were issued, no serial number twice, nothing was
allowed to a revoked certificate, every named alert leads to its request, its certificate and its person.

Keep the checkpoint of every bundle (unzip -p BUNDLE checkpoint > KEPT): with --known KEPT your next audit proves that
nobody rewrote history in between, not even whoever holds the signing key.

exit status: 0 everything holds, 1 something does not (see the FAIL lines), 2 wrong usage
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guosuo-verify",
        description="Verify an evidence bundle offline, with one fingerprint. Prints one line for each check.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="the zip that `guosuo evidence export` wrote")
    parser.add_argument("--fingerprint", metavar="F", required=True, type=_fingerprint, help="64 hexadecimal digits")
    parser.add_argument("--known", metavar="FILE", help="a checkpoint that you kept from an earlier bundle")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def _fingerprint(text: str) -> str:
    plain = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain, re.ASCII):
        raise argparse.ArgumentTypeError("a fingerprint has 64 hexadecimal digits")
    return plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    try:
        known = Path(arguments.known).read_bytes() if arguments.known else None
        report = verify(arguments.bundle, arguments.fingerprint, known=known)
    except OSError as error:
        print(f"guosuo-verify: `{error.filename}` cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        print("\n".join(report.lines()))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
