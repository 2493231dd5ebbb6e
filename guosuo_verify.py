"""Verify an evidence bundle: ``guosuo-verify BUNDLE --fingerprint F``. For the auditor, who believes nobody.

One file, the Python standard library and ``cryptography``; nothing of the product that made the bundle, no network.
The bundle is hostile until it has been verified: nothing is unpacked to disk, every size is bounded, and whatever is
wrong becomes a FAIL line that names the record (counted from 0) where there is one to name.

Formats: C2SP tlog-tiles, tlog-checkpoint and signed-note; RFC 9162, 2.1 (Merkle tree); RFC 8785 (canonical JSON);
RFC 5280 (certificates). Exit status: 0 when everything holds, 1 when anything does not, 2 for wrong usage.
"""

import argparse
import base64
import bisect
import hashlib
import io
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY, CHECKPOINT, MANIFEST, README = "verifier-key", "checkpoint", "manifest.json", "README.md"

#: Folders, by a checkpoint's size: as signed; for guosuo_vouch cosigned, and stamped. By a record's id: its body.
HISTORY, WITNESS, STAMP, BODIES = "checkpoints", "witness", "ts", "bodies"

#: Entries in a full bundle, hashes in a full tile (C2SP tlog-tiles); the root of an empty tree (RFC 9162, 2.1.1).
WIDTH, EMPTY = 256, hashlib.sha256(b"").digest()

#: The form of every member's name, with the most octets that it may have.
MEMBERS = [
    (re.compile(form, re.ASCII), largest)
    for form, largest in (
        (r"tile/entries/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[1-9][0-9]{0,2})?", WIDTH * (2 + 65_535)),
        (r"tile/[0-9]/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[1-9][0-9]{0,2})?", WIDTH * 32),
        (rf"{CHECKPOINT}|({HISTORY}|{WITNESS})/[1-9][0-9]{{0,15}}", 1 << 14),
        (rf"{STAMP}/[1-9][0-9]{{0,15}}\.tsr|{BODIES}/[0-9a-f]{{32}}|{README}", 1 << 17),
        (MANIFEST, 1 << 26),
        (KEY, 1024),
    )
]

#: Most octets of the zip's directory; the most that all members together may grow to against the file itself; most
#: octets of the manifest for each member; of one name, the newest authorities that a certificate is held against.
LARGEST_DIRECTORY, LARGEST_GROWTH, FREE_GROWTH, LARGEST_LINE, MOST_AUTHORITIES = 1 << 26, 200, 1 << 26, 256, 64

#: How many faults of one check are told; how far a time may lie before an earlier one, and after now; how far apart two
#: publishers may finish their lists in the other order; how far from a revocation an answer may be stored after it.
MOST_TOLD, BACKWARDS, AHEAD, LIST_RACE = 5, timedelta(hours=1), timedelta(days=1), timedelta(minutes=2)
FAST_RACE = timedelta(seconds=1)

Object = dict[str, object]


class Unreadable(Exception):
    """Something in the bundle is not what it must be; the text says what, in one sentence."""


def demand(holds: bool, fault: str) -> None:
    """Raise ``Unreadable`` with ``fault`` unless something holds."""
    if not holds:
        raise Unreadable(fault)


@dataclass
class Check:
    """One check, with what it found. As a context it takes what cannot be read for its fault, and ends there."""

    name: str
    faults: list[str] = field(default_factory=list)
    found: str = ""

    def fail(self, fault: str) -> None:
        """Note a fault; the check has failed."""
        self.faults.append(fault)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, Unreadable):
            self.fail(str(error))
        return isinstance(error, Unreadable)

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
        self.checks.append(Check(name))
        return self.checks[-1]

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
        told = [{"name": c.name, "ok": not c.faults, "detail": c.found, "faults": c.faults} for c in self.checks]
        return {"ok": self.ok, "origin": self.origin, "size": self.size, "root": self.root, "checks": told}


def shown(text: str, most: int = 80) -> str:
    """Return text from the bundle so that it can be printed: no control characters, not too long."""
    return "".join(one if one.isprintable() else "?" for one in text[:most]) + ("…" if len(text) > most else "")


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
            name, largest, size = info.filename, largest_of(info.filename), info.file_size
            # The name before the zip module tidied it: an embedded NUL would cut it short.
            known = largest > 0 and info.orig_filename == name
            demand(known, f"`{shown(info.orig_filename)}` is not a member of a bundle")
            demand(name not in self.infos, f"the member `{name}` stands twice")
            plain = not info.flag_bits & 0x1 and info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            demand(plain, f"the member `{name}` is encrypted or packed in an unknown way")
            demand(size <= largest, f"the member `{name}` would have {size} octets, at most {largest} are right")
            total += size
            self.infos[name] = info
        grown = total <= LARGEST_GROWTH * octets + FREE_GROWTH
        demand(grown, f"the members would grow to {total} octets from a file of {octets}")

    def read(self, name: str) -> bytes:
        """Return a member's octets. Raises ``Unreadable`` when it is missing or damaged."""
        demand(name in self.infos, f"the member `{name}` is missing")
        info = self.infos[name]
        try:
            with self.zip.open(info) as file:
                content = file.read(info.file_size + 1)
        except _ZIP_ERRORS as error:
            raise Unreadable(f"the member `{name}` cannot be read: {shown(str(error))}") from error
        demand(len(content) == info.file_size, f"the member `{name}` has not the size that the zip says")
        self.digests[name] = hashlib.sha256(content).hexdigest()
        return content


def _check_directory(path: str) -> None:
    """Refuse a zip whose directory alone would fill the memory, before it is read (APPNOTE 4.3.14, 4.3.16)."""
    demand(not Path(path).is_fifo(), "this is not a file")
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 65_557 - 76))
        tail = file.read(65_557 + 76)  # a device would have no end
    end = tail.rfind(b"PK\x05\x06")
    demand(0 <= end <= len(tail) - 22, "this is not a zip: it has no end of directory")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if (larger := tail.rfind(b"PK\x06\x06", 0, end)) >= 0:
        directory = max(directory % 0xFFFFFFFF, int.from_bytes(tail[larger + 40 : larger + 48], "little"))
    demand(directory <= LARGEST_DIRECTORY, f"the zip's directory has {directory} octets, more than {LARGEST_DIRECTORY}")


def largest_of(name: str) -> int:
    """Return the most octets that a member may have; 0 for a name that no bundle has."""
    return next((largest for form, largest in MEMBERS if form.fullmatch(name)), 0)


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
    demand(base64.b64encode(value).decode() == text, "its base64 is not in its one form")
    return value


def parse_key(content: bytes, kind: int = 1) -> Key:
    """Read ``name+hash+key`` (C2SP signed-note), Ed25519 of a log (type 1) or witness (4). Raises ``Unreadable``."""
    if (found := re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)", content.decode(errors="replace"))) is None:
        raise Unreadable("the verifier key has not the form `name+hash+key`")
    material = decode64(found[3])
    demand(len(material) == 33 and material[0] == kind, f"the verifier key is not an Ed25519 key of type {kind}")
    expected = hashlib.sha256(found[1].encode() + b"\n" + material).digest()[:4]
    demand(found[2] == expected.hex(), "the verifier key does not have the hash that stands in it")
    return Key(found[1], material[1:], expected)


_NOTE = re.compile(r"(.+\n)\n((?:— \S+ \S+\n)+)", re.DOTALL)
_TEXT = re.compile(r"(\S+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n", re.ASCII)


def split_note(note: bytes, key: Key) -> tuple[bytes, list[bytes]]:
    """Return the text of a signed note, and what ``key`` signed below it. Raises ``Unreadable``."""
    if not (found := _NOTE.fullmatch(note.decode(errors="replace"))):
        raise Unreadable("it is not a signed note: a text, an empty line, and lines `— name base64`")
    lines = [line.split(" ") for line in found[2].removesuffix("\n").split("\n")]
    blobs = [(name, decode64(blob)) for _, name, blob in lines]
    return found[1].encode(), [blob[4:] for name, blob in blobs if (name, blob[:4]) == (key.name, key.hash)]


def open_note(note: bytes, key: Key, name: str = "the note") -> Signed:
    """Verify a signed checkpoint, called ``name``, and return what it says. Raises ``Unreadable``."""
    try:
        text, signatures = split_note(note, key)
        demand(len(signatures) == 1, f"it carries {len(signatures)} signatures of this key, not one")
        Ed25519PublicKey.from_public_bytes(key.public).verify(signatures[0], text)
        if not (found := _TEXT.fullmatch(text.decode())) or found[1] != key.name:
            raise Unreadable("it is not a checkpoint of this log: its name, a number and a root, each in a line")
        return Signed(int(found[2]), decode64(found[3]))
    except (Unreadable, InvalidSignature) as error:
        raise Unreadable(f"{name}: {str(error) or 'its signature does not verify'}") from error


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
        level = [roots_at(level[at : at + WIDTH], [WIDTH])[WIDTH] for at in range(0, len(level) - WIDTH + 1, WIDTH)]


def expected_tiles(size: int) -> list[str]:
    """Return the name of every tile and entry bundle of a log of ``size``."""
    names, level, count = names_of("entries", size), 0, size
    while count:
        names += names_of(level, count)
        level, count = level + 1, count // WIDTH
    return names


_LONGEST = {"type": 80, "actor": 120, "object": 200, "domain": 80, "result": 20}
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+", re.ASCII)


def _integer(text: str) -> int:
    """Read a whole number that every JSON reader knows exactly; fractions and constants raise ``ValueError``."""
    if len(text) > 17 or abs(int(text)) >= 2**53:
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
    demand(same, "it is not in the canonical form of RFC 8785")
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
    """Read a record. Raises ``Unreadable`` that names it."""
    try:
        return _parse_record(number, parse_object(content))
    except Unreadable as fault:
        raise Unreadable(f"{name_entry(number, content)}: {fault}") from fault


def _parse_record(number: int, value: Object) -> Record:
    details = value.get("details")
    if set(value) != {"v", "id", "at", "details", *_LONGEST} or value["v"] != 1 or not isinstance(details, dict):
        raise Unreadable("its fields are not those of a record")
    texts = {name: value[name] for name in (*_LONGEST, "id", "at")}
    words = {name: text for name, text in texts.items() if isinstance(text, str)}
    if len(words) != len(texts) or any(len(words[name]) > most for name, most in _LONGEST.items()):
        raise Unreadable("one of its fields is not a text, or too long")
    named = re.fullmatch(r"[0-9a-f]{32}", words["id"]) and _TYPE.fullmatch(words["type"])
    demand(named is not None, "its id or its type is not in the right form")
    demand(words["result"] in ("done", "refused"), "its result is neither `done` nor `refused`")
    try:
        at = datetime.fromisoformat(words["at"] if _AT.fullmatch(words["at"]) else "")
    except ValueError as error:
        raise Unreadable(f"`{shown(words['at'], 40)}` is not a time in UTC with milliseconds") from error
    return Record(number, words["id"], at, words["type"], words["actor"], words["object"], words["result"], details)


#: What stands in the place of a purged record: its hash, and the id of the record that says who purged it.
_STUB = re.compile(rb'\{"by":"([0-9a-f]{32})","leaf":"([0-9a-f]{64})","purged":true,"v":1\}')


def leaf_of(entry: bytes) -> bytes:
    """Return an entry's hash in the tree (RFC 9162, 2.1.1); that of a stub is the one of the record it stands for."""
    stub = _STUB.fullmatch(entry)
    return bytes.fromhex(stub[2].decode()) if stub else hashlib.sha256(b"\x00" + entry).digest()


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
    return f"record {number} (id {found[1].decode() if found else 'unreadable'})"


@dataclass
class Life:
    """What the log tells of one serial number; each is the number of a record, ``revoked`` one without details."""

    intended: int | None = None
    issued: int | None = None
    abandoned: int | None = None
    revoked: Record | None = None
    held: Record | None = None
    holder: str = ""


#: What is held against the records before it, and what is told where nothing was wrong.
_CHRONICLE = {
    "ids": "{records} records, no id twice",
    "times": "records go forward in time, the last is of {latest}",
    "issuance": "{issued} certificates issued, each intended before, no serial number twice",
    "certificates": "{issued} certificates lead to the root that the records hold",
    "revocation": "{revoked} revocations, each of a certificate issued before",
    "decisions": "{decisions} decisions, none allows a certificate that is revoked or on hold",
    "alerts": "{alerts} alerts name a person, each leads to its request and certificate",
    "crl numbers": "{lists} revocation lists, numbers only rise",
    "purges": "{purged} records were purged, each named by a later record that says by whom",
}


class Chronicle:
    """Goes through the records in their order and holds each against those before it; of details it keeps few."""

    def __init__(self, report: Report, now: datetime) -> None:
        self._now = now
        self._ids: dict[str, int] = {}
        self._latest: datetime | None = None
        self._lives: dict[str, Life] = {}
        self._authorities: dict[str, list[x509.Certificate]] = {}
        self._allowed: dict[tuple[str, str], tuple[int, str]] = {}
        self._lists: dict[tuple[str, int], Record] = {}
        self._newest_list: dict[str, tuple[int, Record]] = {}
        #: Stubs that no record accounts for yet, by the id of the record that they name.
        self._stubs: dict[str, set[int]] = {}
        self._counts = {"issued": 0, "revoked": 0, "decisions": 0, "alerts": 0, "purged": 0}
        self._checks = {name: report.check(name) for name in _CHRONICLE}

    def see(self, record: Record) -> None:
        """Take the next record."""
        if (first := self._ids.setdefault(record.id, record.number)) != record.number:
            self._demand("ids", False, f"{record} has the id of record {first}")
        self._check_time(record)
        if record.type in _HANDLERS:
            _HANDLERS[record.type](self, record)

    def see_stub(self, number: int, by: str) -> None:
        """Take what stands in the place of a purged record."""
        self._counts["purged"] += 1
        self._stubs.setdefault(by, set()).add(number)

    def conclude(self) -> None:
        """Say what was found where nothing was wrong."""
        for number in sorted(set().union(*self._stubs.values())):
            self._demand("purges", False, f"record {number} is gone, and no later record says that it was purged")
        told = {**self._counts, "records": len(self._ids), "latest": self._latest, "lists": len(self._lists)}
        for name, text in _CHRONICLE.items():
            self._checks[name].found = text.format(**told)

    def _demand(self, name: str, holds: bool, fault: str) -> None:
        if not holds:
            self._checks[name].fail(fault)

    def _expect(self, name: str, holds: bool, fault: str) -> None:
        """Demand what stands in a record before; where records were purged it may have been one of them."""
        self._demand(name, holds or self._counts["purged"] > 0, fault)

    def _check_time(self, record: Record) -> None:
        latest = self._latest or record.at
        if record.at - latest < -BACKWARDS or record.at > self._now + AHEAD:
            told = "which is in the future" if record.at > latest else f"but a record before it is of {latest}"
            self._demand("times", False, f"{record} is of {record.at}, {told}")
        self._latest = max(latest, record.at)

    def _life(self, record: Record) -> Life:
        return self._lives.setdefault(record.serial, Life())

    def _intended(self, record: Record) -> None:
        life = self._life(record)
        self._demand("issuance", life.intended is None, f"{record} takes the serial number of record {life.intended}")
        life.intended = record.number if life.intended is None else life.intended

    def _abandoned(self, record: Record) -> None:
        life = self._life(record)
        open_ = life.intended is not None and life.issued is None
        self._expect("issuance", open_, f"{record} gives up serial {shown(record.serial)}, which was not open")
        life.abandoned = record.number

    def _issued(self, record: Record) -> None:
        self._counts["issued"] += 1
        self._outcome(record).holder = record.word("holder")
        if (read := self._certificate(record)) is not None:
            self._demand("certificates", not read[1], f"{record} holds a certificate that could issue others")
            self._check_issuer(record, read[0], record.word("issuer"))

    def _made(self, record: Record) -> None:
        self._outcome(record)
        name = record.object.partition(":")[2]
        if (read := self._certificate(record)) is None:
            return
        (made, authority), kind = read, name.partition("-")[0]
        above = kind in ("root", "issuing", "cross", "foreign")
        parent = record.word("issuer") or ("root" if above else "issuing")
        right = authority == above and parent.partition("-")[0] == ("root" if above else "issuing")
        self._demand("certificates", right, f"{record} makes an authority of one that is none")
        if kind == "root":
            links = [one.public_key() for one in self._authorities.get(f"cross-{name}-new", [])]
            first = name not in self._authorities and (name == "root" or made.public_key() in links)
            self._demand("certificates", first and parent == name, f"{record} makes a second root that none certified")
        self._authorities.setdefault(name, []).append(made)
        self._check_issuer(record, made, parent)

    def _outcome(self, record: Record) -> Life:
        """Hold the outcome of an issuance against its intention."""
        life = self._life(record)
        told = f"{record} issues serial {shown(record.serial)}"
        self._demand("issuance", record.word("serial") == record.serial, f"{record} names two serial numbers")
        self._demand("issuance", life.issued is None, f"{told}, issued before by record {life.issued}")
        intended = life.intended is not None or life.issued is not None
        self._expect("issuance", intended, f"{told}, which no record before it intended")
        self._demand("issuance", life.abandoned is None, f"{told}, given up before by record {life.abandoned}")
        life.issued = record.number
        return life

    def _certificate(self, record: Record) -> tuple[x509.Certificate, bool] | None:
        """Read the certificate in a record and hold it against what the record says of it."""
        try:
            made = x509.load_der_x509_certificate(decode64(record.word("certificate")))
            facts = _facts(made)
            authority = any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in made.extensions)
        except (Unreadable, *X509_ERRORS) as error:
            self._demand("certificates", False, f"{record} holds no readable certificate: {shown(str(error))}")
            return None
        for name, value in facts.items():
            same = record.details.get(name, value) == value
            self._demand("certificates", same, f"{record} says another {name} than its certificate")
        same = facts["serial"] == record.serial
        self._demand("certificates", same, f"{record} holds the certificate of serial {facts['serial']}")
        return made, authority

    def _check_issuer(self, record: Record, made: x509.Certificate, issuer: str, check: str = "certificates") -> None:
        above = self._authorities.get(issuer, [])[-MOST_AUTHORITIES:]
        why = "no signature of it verifies" if above else "no record before it made that authority"
        right = any(_is_issued_by(made, one) for one in above)
        self._demand(check, right, f"{record}: its certificate was not issued by `{shown(issuer)}`: {why}")

    def _revoked(self, record: Record) -> None:
        self._counts["revoked"] += 1
        life, serial = self._life(record), shown(record.serial)
        known = (life.issued, life.abandoned) != (None, None)
        self._expect("revocation", known, f"{record} revokes serial {serial}, which was never issued")
        self._demand("revocation", life.revoked is None, f"{record} revokes again what {life.revoked} revoked")
        right = record.word("holder") == life.holder or not life.holder or life.revoked is not None
        self._demand("revocation", right, f"{record} names another holder than the one it was issued to")
        life.revoked, life.held = life.revoked or replace(record, details={}), None

    def _held(self, record: Record) -> None:
        life = self._life(record)
        self._demand("revocation", life.revoked is None, f"{record} comes after {life.revoked} revoked it for ever")
        life.held = replace(record, details={}) if record.type == "pki.certificate.held" else None

    def _decided(self, record: Record) -> None:
        self._counts["decisions"] += 1
        if record.result != "done":
            return
        serial = record.word("serial")
        life, told = self._lives.get(serial, Life()), f"{record} allows serial {shown(serial)}"
        # In fast mode it was answered before it was stored: a revocation may have come in between.
        gone, fast = life.revoked or life.held, record.details.get("fast") is True
        late = gone is not None and not (fast and abs(record.at - gone.at) <= FAST_RACE)
        self._demand("decisions", not late, f"{told}, {'revoked' if life.revoked else 'held'} before by {gone}")
        self._expect("decisions", (life.issued, gone) != (None, None), f"{told}, which no record before it issued")
        self._allowed.setdefault((record.word("request_id"), serial), (record.number, record.actor))

    def _alert(self, record: Record) -> None:
        if record.word("state") != "named":
            return
        self._counts["alerts"] += 1
        request, serial, person = (record.word(name) for name in ("request_id", "serial", "person"))
        number, allowed = self._allowed.get((request, serial), (None, person))
        told = f"{record} names request {shown(request)}, which no record allowed to its certificate"
        self._expect("alerts", number is not None, told)
        told = f"{record} names {shown(person)}"
        self._demand("alerts", allowed == person, f"{told}, but record {number} allowed somebody else")
        holder = self._lives.get(serial, Life()).holder
        self._expect("alerts", holder == person, f"{told}, to whom serial {shown(serial)} was not issued")

    def _listed(self, record: Record) -> None:
        number = record.details.get("number")
        if not isinstance(number, int) or isinstance(number, bool):
            self._demand("crl numbers", False, f"{record} has no list number")
            return
        record = replace(record, details={})
        first = self._lists.setdefault((record.object, number), record)
        self._demand("crl numbers", first is record, f"{record} uses list number {number} of {first.number} again")
        highest, newest = self._newest_list.get(record.object, (-1, record))
        if number > highest:
            self._newest_list[record.object] = (number, record)
        elif abs(record.at - newest.at) > LIST_RACE:
            told = f"{record} goes back to list number {number} after record {newest.number}"
            self._demand("crl numbers", False, told)

    def _purged(self, record: Record) -> None:
        """Account for the stubs before it that name this record, once; its ranges ascend, or stubs stay open."""
        waiting = self._stubs.get(record.id, set()) if self._ids[record.id] == record.number else set()
        ranges = record.details.get("numbers")
        pairs = [pair for pair in ranges if isinstance(pair, list)] if isinstance(ranges, list) else []
        pairs = [pair for pair in pairs if len(pair) == 2 and all(isinstance(number, int) for number in pair)]
        places = {number: bisect.bisect_right(pairs, number, key=lambda pair: pair[0]) for number in waiting}
        waiting -= {number for number, place in places.items() if place and number <= pairs[place - 1][1]}


_HANDLERS: dict[str, Callable[[Chronicle, Record], None]] = {
    "pki.issuance.intended": Chronicle._intended,
    "pki.issuance.abandoned": Chronicle._abandoned,
    "pki.certificate.issued": Chronicle._issued,
    "pki.authority.made": Chronicle._made,
    "pki.certificate.held": Chronicle._held,
    "pki.certificate.released": Chronicle._held,
    "pki.certificate.revoked": Chronicle._revoked,
    "pki.crl.published": Chronicle._listed,
    "authz.decision.made": Chronicle._decided,
    "monitor.leak.found": Chronicle._alert,
    "monitor.leak.attributed": Chronicle._alert,
    "ledger.records.purged": Chronicle._purged,
}

#: What reading or checking a hostile certificate raises.
X509_ERRORS = (
    *(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.ExtensionNotFound, x509.UnsupportedGeneralNameType),
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


def _is_issued_by(made: x509.Certificate, issuer: x509.Certificate) -> bool:
    with suppress(*X509_ERRORS):
        made.verify_directly_issued_by(issuer)
        # An old root's key that the new one certifies begins with the old root (RFC 4210, 4.4.1).
        begun = made.issuer == made.subject or issuer.not_valid_before_utc <= made.not_valid_before_utc
        return begun and made.not_valid_before_utc <= issuer.not_valid_after_utc
    return False


class Verification:
    """One bundle against one fingerprint."""

    #: What goes through the records; ``guosuo_vouch.py`` has one that also looks at who signed what.
    chronicle = Chronicle

    def __init__(self, bundle: Bundle, fingerprint: str, known: bytes | None, now: datetime) -> None:
        """Prepare; ``known`` is a checkpoint that the auditor kept from an earlier bundle."""
        self._bundle, self._fingerprint, self._known, self._now = bundle, fingerprint, known, now
        self.report = Report()
        self._leaves: list[bytes] = []
        #: The records next to a signed checkpoint, and how they are named.
        self._edges: set[int] = set()
        self._names: dict[int, str] = {}

    def run(self) -> Report:
        """Make every check, as far as each can be made."""
        if (opened := self._open()) is None or not self._check_members(opened[1]):
            return self.report
        key, signed = opened
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
        self._bundle.zip.close()
        return self.report

    def _open(self) -> tuple[Key, Signed] | None:
        """Read what everything else hangs on: the key that the auditor knows, and what it signed."""
        with self.report.check("fingerprint") as check:
            content = self._bundle.read(KEY)
            if (found := hashlib.sha256(content).hexdigest()) != self._fingerprint:
                check.fail(f"the bundle's key has the fingerprint {found}: it is another key than the one you know")
            key = parse_key(content)
            check.found = f"the key of {shown(key.name)} is the one you know"
            with self.report.check("checkpoint") as signing:
                signed = open_note(self._bundle.read(CHECKPOINT), key, "the checkpoint")
                self.report.origin, self.report.size, self.report.root = key.name, signed.size, signed.root.hex()
                signing.found = f"signed for {signed.size} records with root {signed.root.hex()}"
                return key, signed
        return None

    def _check_members(self, signed: Signed) -> bool:
        """Hold the names against those of a log of this size; return whether there is anything to go on with."""
        check = self.report.check("members")
        present = set(self._bundle.infos)
        # A checkpoint may say any size: no more names are made than there could be.
        if signed.size > len(present) * WIDTH:
            check.fail(f"records are missing: {len(present)} members cannot hold {signed.size} records")
            return False
        expected = {KEY, CHECKPOINT, MANIFEST, README, *expected_tiles(signed.size)}
        expected |= {name for name in present if name.split("/")[0] in (HISTORY, WITNESS, STAMP, BODIES)}
        for name in sorted(expected ^ present):
            why = "is missing" if name in expected else f"does not belong to a log of {signed.size} records"
            check.fail(f"the member `{name}` {why}")
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
        with check:
            return self._bundle.read(name)
        return b""

    def _check_records(self, signed: Signed, tiled: list[bytes]) -> Record | None:
        check = self.report.check("records")
        chronicle = self.chronicle(self.report, self._now)
        last: Record | None = None
        for index, name in enumerate(names_of("entries", signed.size)):
            entries, broken = split_entries(self._read(name, check))
            first, width = index * WIDTH, min(WIDTH, signed.size - index * WIDTH)
            self._leaves += [leaf_of(entry) for entry in entries]
            if broken or self._leaves[first:] != tiled[first : first + width]:
                check.fail(self._first_wrong(first, width, entries, tiled, broken))
            for number, entry in enumerate(entries, first):
                last = self._see(number, entry, chronicle, check) or last
                if number in self._edges:
                    self._names[number] = name_entry(number, entry)
            if len(entries) != width:
                # From here on numbers would be shifted: nothing that follows could be named rightly.
                break
        chronicle.conclude()
        check.found = f"{len(self._leaves)} records, each canonical and the one whose hash is in the tree"
        return last

    def _see(self, number: int, entry: bytes, chronicle: Chronicle, check: Check) -> Record | None:
        if stub := _STUB.fullmatch(entry):
            chronicle.see_stub(number, stub[1].decode())
            return None
        with check:
            record = parse_record(number, entry)
            chronicle.see(record)
            self._check_body(record)
            return record
        return None

    def _check_body(self, record: Record) -> None:
        """Hold the body of a record, where one is disclosed, against the salted commitment in the record."""
        name = f"{BODIES}/{record.id}"
        if name in self._bundle.infos:
            said = parse_object(self._bundle.read(name))
            salted = decode64(str(said.get("salt"))) + canonical(said.get("body"))
            same = record.details.get("body") == {"sha256": hashlib.sha256(salted).hexdigest()}
            demand(same and said.get("record") == record.id, f"`{name}` is not the body that {record} committed to")

    def _first_wrong(self, first: int, width: int, entries: list[bytes], tiled: list[bytes], broken: str) -> str:
        """Name the first record of a bundle whose hash is not the one in the tile, and say what seems to be done."""
        found, wanted = self._leaves[first:], tiled[first : first + width + 1]
        place = 0
        while place < min(len(found), width, len(wanted)) and found[place] == wanted[place]:
            place += 1
        number = first + place
        if place >= len(entries):
            missing = f"record {number} and what follows it in its bundle is missing: {place} of {width} are there"
            return f"{missing}; the entry {broken}" if broken else f"{missing}, the tail was cut"
        comes_next = found[place + 1 : place + 2] == wanted[place : place + 1]
        came_early = wanted[place + 1 : place + 2] == found[place : place + 1]
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
                expected = b"".join(hashes[index * WIDTH : (index + 1) * WIDTH])
                if level and self._read(name, check) != expected:
                    first = index * WIDTH ** (level + 1)
                    check.fail(f"the tile `{name}` is not that of its records (from record {first})")
        check.found = f"{count} tiles of hashes, each recomputed"

    def _check_root(self, signed: Signed, past: dict[int, bytes], history: Check) -> None:
        """Recompute the root from the records, now and at every checkpoint before."""
        check = self.report.check("root")
        roots = roots_at(self._leaves, [signed.size, *past])
        if roots.get(signed.size) != signed.root:
            check.fail(f"the {len(self._leaves)} records do not lead to the signed root{self._where(past, roots)}")
        if broken := [size for size, root in sorted(past.items()) if roots.get(size) != root]:
            history.fail(f"`{HISTORY}/{broken[0]}` was signed for other records{self._where(past, roots)}")
        self.report.checks.append(history)
        check.found = f"{len(self._leaves)} records lead to the signed root"
        history.found = f"the log begins with what each of {len(past)} checkpoints was signed for"

    def _past(self, key: Key, signed: Signed, check: Check) -> dict[int, bytes]:
        """Return the roots that were signed before, by size."""
        past: dict[int, bytes] = {}
        for name in [name for name in self._bundle.infos if name.startswith(f"{HISTORY}/")]:
            with check:
                found = open_note(self._bundle.read(name), key, f"the checkpoint `{name}`")
                told = f"`{name}` is signed for {found.size} records, the bundle's checkpoint for {signed.size}"
                demand(name == f"{HISTORY}/{found.size}" and found.size <= signed.size, told)
                past[found.size] = found.root
        if past.get(signed.size) != signed.root:
            check.fail(f"the history does not hold the checkpoint of {signed.size} records itself")
        return past

    def _check_known(self, key: Key, known: bytes) -> None:
        with self.report.check("known") as check:
            kept = open_note(known, key, "the checkpoint that you kept")
            same = roots_at(self._leaves, [kept.size]).get(kept.size) == kept.root
            demand(same, f"record {kept.size - 1} or one before it is not there as it was at the checkpoint you kept")
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
        with self.report.check("manifest") as check:
            for name in set(self._bundle.infos) - set(self._bundle.digests):
                demand(not name.startswith(f"{BODIES}/"), f"`{name}` is the body of no record that is here")
                self._bundle.read(name)
            content, most = self._bundle.read(MANIFEST), LARGEST_LINE * len(self._bundle.infos)
            demand(len(content) <= most, f"the manifest has {len(content)} octets, for its members at most {most}")
            manifest = parse_object(content)
            head = {"v": 1, "origin": self.report.origin, "size": signed.size, "root": signed.root.hex()}
            members = manifest.pop("members", None)
            if manifest != head or not isinstance(members, dict):
                raise Unreadable("the manifest is not that of this checkpoint")
            found = {name: digest for name, digest in self._bundle.digests.items() if name != MANIFEST}
            for name in sorted(set(found) | set(map(str, members))):
                if found.get(name) != members.get(name):
                    check.fail(f"the member `{shown(name)}` is not the one in the manifest")
            check.found = f"{len(found)} members, each as the manifest says"


def verify(path: str, fingerprint: str, *, known: bytes | None = None, now: datetime | None = None) -> Report:
    """Verify the bundle at ``path``; whatever stands in it. Raises ``OSError`` when there is no such file."""
    with Check("bundle") as check:
        return Verification(Bundle(path), fingerprint, known, now or datetime.now(UTC)).run()
    return Report([check])


_EPILOG = """\
The fingerprint is the SHA-256 of the log's verifier key. Get it on paper or face to face, never from the bundle itself.
`guosuo evidence export` prints it; by hand: unzip -p BUNDLE verifier-key | sha256sum

Keep the checkpoint of every bundle (unzip -p BUNDLE checkpoint > KEPT): with --known KEPT your next audit proves that
nobody rewrote history in between, whoever holds the signing key. guosuo-vouch checks what people and witnesses signed.

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
    parser.add_argument("--fingerprint", metavar="F", required=True, type=fingerprint_of, help="64 hexadecimal digits")
    parser.add_argument("--known", metavar="FILE", help="a checkpoint that you kept from an earlier bundle")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def fingerprint_of(text: str) -> str:
    plain = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain, re.ASCII):
        raise argparse.ArgumentTypeError("a fingerprint has 64 hexadecimal digits")
    return plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        arguments = _parser().parse_args(argv)
        known = Path(arguments.known).read_bytes() if arguments.known else None
        report = verify(arguments.bundle, arguments.fingerprint, known=known)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except OSError as error:
        print(f"guosuo-verify: `{error.filename}` cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    print(json.dumps(report.as_json(), indent=2) if arguments.json else "\n".join(report.lines()))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
