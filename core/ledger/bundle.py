"""The evidence bundle: the whole log up to the record of its own export, as a zip that verifies offline.

Members: ``verifier-key``, ``checkpoint``, ``checkpoints/SIZE`` (signed notes), ``witness/SIZE`` (the same, cosigned),
``ts/SIZE.tsr`` (RFC 3161), ``tile/…`` (C2SP tlog-tiles), ``manifest.json`` with a SHA-256 for every other member,
``README.md``. The same size gives the same octets, as long as nobody has cosigned or stamped more.
"""

import base64
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from itertools import chain
from typing import IO

import rfc8785

from core.clock import Clock
from core.database import Database
from core.ledger import checkpoint, evidence, published
from core.ledger.body import Disclosed
from core.ledger.checkpoint import Checkpoint
from core.ledger.entry import Event, JsonValue
from core.ledger.errors import InconsistentLog, StorageFailed
from core.ledger.place import LedgerPlace
from core.ledger.publication import await_publication
from core.ledger.sequencer import BUNDLE_EXPORTED
from core.ledger.storage import HISTORY
from core.ledger.stub import leaf_of
from core.ledger.tiles import WIDTH, TileTree

KEY, CHECKPOINT, MANIFEST, README = "verifier-key", "checkpoint", "manifest.json", "README.md"

#: The folder of disclosed bodies, by the ids of their records.
BODIES = "bodies"

#: Most earlier checkpoints that a bundle carries; of more, every so many-th is taken, evenly over the log.
MOST_KEPT = 2_048

#: Most time-stamp tokens, chosen alike; each has some thousand octets.
MOST_TOKENS = 128

#: Zip's earliest time: a bundle's octets must not depend on when it was packed.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle of ``size`` records that ends with ``record``; whoever gets it closes ``content``."""

    record: str
    size: int
    octets: int
    content: IO[bytes]


def export(
    database: Database, clock: Clock, place: LedgerPlace, *, actor: str, bodies: Sequence[Disclosed] = ()
) -> Exported:
    """Record the export, wait until that record is published, and pack everything up to it, with ``bodies`` disclosed.

    Raises ``NotPublished`` after ``place.patience``; ``InconsistentLog``, ``StorageFailed``, ``UnknownTile`` and
    ``BadTile`` when the published log cannot be read whole: no bundle is handed out that would not verify.
    """
    details: dict[str, JsonValue] = {"fingerprint": place.fingerprint}
    if bodies:
        details["disclosed"] = [one.record for one in bodies]
    event = Event(BUNDLE_EXPORTED, actor, f"log:{place.origin}"[:200], details=details)
    with database.write() as session:
        record = evidence.append(session, event, at=clock.now())
    # A crash here leaves the record of a bundle that nobody got: it is asked for again, and that is recorded too.
    size = await_publication(database, record, timeout=place.patience) + 1
    try:
        content, octets = _spooled(place, size, bodies)
    except OSError as error:
        detail = f"the bundle cannot be written: {error.strerror}"
        raise StorageFailed(detail, hint="is there room in the folder for temporary files?") from error
    return Exported(record, size, octets, content)


def _spooled(place: LedgerPlace, size: int, bodies: Sequence[Disclosed]) -> tuple[IO[bytes], int]:
    """Write the bundle to a file without a name: it is gone when it is closed, or when we die."""
    with ExitStack() as stack:
        content = stack.enter_context(tempfile.TemporaryFile(dir=place.spool))
        write_bundle(place, size, content, bodies)
        octets = content.tell()
        content.seek(0)
        stack.pop_all()
    return content, octets


def write_bundle(place: LedgerPlace, size: int, out: IO[bytes], bodies: Sequence[Disclosed] = ()) -> None:
    """Write the bundle of the log at ``size``, which must have been signed. Raises as ``export`` does."""
    signed = _signed(place, size)
    digests: dict[str, str] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in chain(_members(place, signed), map(_disclosed, bodies)):
            digests[name] = sha256(content).hexdigest()
            write_member(archive, name, content)
        write_member(archive, MANIFEST, _manifest(signed, digests))


def _disclosed(body: Disclosed) -> tuple[str, bytes]:
    """Return the member of a disclosed body: what it says and the salt that its record's commitment was made with."""
    salt = base64.b64encode(body.salt).decode()
    shown = {"v": 1, "record": body.record, "salt": salt, "body": json.loads(body.content)}
    return f"{BODIES}/{body.record}", rfc8785.dumps(shown)


def _manifest(signed: Checkpoint, digests: dict[str, str]) -> bytes:
    return rfc8785.dumps(
        {"v": 1, "origin": signed.origin, "size": signed.size, "root": signed.root.hex(), "members": {**digests}}
    )


def _signed(place: LedgerPlace, size: int) -> Checkpoint:
    note = published.signed(place.directory, size)
    checkpoint.verify_checkpoint(note, place.key)
    return checkpoint.parse_checkpoint(note)


def _members(place: LedgerPlace, signed: Checkpoint) -> Iterator[tuple[str, bytes]]:
    yield README, resources.files("core.ledger").joinpath("bundle.md").read_bytes()
    yield KEY, str(place.key).encode()
    yield CHECKPOINT, published.signed(place.directory, signed.size)
    notes = _thinned(published.witnessed(place.directory), signed.size, MOST_KEPT)
    tokens = _thinned(published.tokens(place.directory), signed.size, MOST_TOKENS)
    past = _kept([past for past in published.sizes(place.directory) if past <= signed.size])
    for size in sorted({*past, *notes, *tokens}):
        yield f"{HISTORY}/{size}", published.signed(place.directory, size)
    yield from ((f"{published.WITNESSED}/{size}", note) for size, note in notes.items())
    yield from ((f"{published.STAMPED}/{size}.tsr", token) for size, token in tokens.items())
    yield from _tiles(place, signed)


def _thinned(found: dict[int, bytes], size: int, most: int) -> dict[int, bytes]:
    """Return what others said of checkpoints up to ``size``; of very many, evenly chosen ones."""
    return {past: found[past] for past in _kept(sorted(past for past in found if past <= size), most)}


def _kept(sizes: list[int], most: int = MOST_KEPT) -> list[int]:
    """Return the sizes to carry: all, or evenly chosen ones; always the first and the last."""
    if len(sizes) <= most:
        return sizes
    last = len(sizes) - 1
    return [sizes[place * last // (most - 1)] for place in range(most)]


def _tiles(place: LedgerPlace, signed: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """Read every entry and grow the tree again: hash tiles come from the entries, and the root must come out."""
    tree = TileTree()
    for index in range((signed.size + WIDTH - 1) // WIDTH):
        for entry in published.entries(place.directory, index, min(WIDTH, signed.size - index * WIDTH)):
            tree.append(entry, leaf=leaf_of(entry))
        yield from tree.take_complete().items()
    yield from tree.incomplete().items()
    if tree.root() != signed.root:
        raise InconsistentLog(
            f"the published records are not those that the checkpoint of size {signed.size} was signed for",
            hint="a file of the evidence was changed on disk; compare it with its mirror",
        )


def write_member(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Write a member that is the same whenever it is written."""
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system, info.external_attr = 3, 0o644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)
