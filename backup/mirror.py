"""The mirrored evidence, read by whoever comes back: whole, signed, and beginning with what the store holds.

Files in the form of C2SP tlog-tiles; what is read is trusted only after its root was found under a signed checkpoint.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup.errors import Damaged
from core.clock import from_rfc3339
from core.errors import TrustError
from core.ledger import checkpoint
from core.ledger.checkpoint import VerifierKey
from core.ledger.entry import JsonValue, read_fields
from core.ledger.merkle import CompactRange
from core.ledger.storage import CHECKPOINT, HISTORY
from core.ledger.stub import STUB_TIME, STUB_TYPE, Account, Stub, leaf_of, parse_stub
from core.ledger.tiles import ENTRIES, WIDTH, parse_bundle, tile_path


@dataclass(frozen=True, slots=True)
class Note:
    """A signed checkpoint as it stands in the mirror."""

    size: int
    root: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its number, its canonical octets, and what they say."""

    sequence: int
    content: bytes
    identifier: str
    at: datetime
    type: str
    actor: str
    object: str
    domain: str
    result: str
    details: dict[str, JsonValue]
    #: The leaf hash in hexadecimal when the record was purged and only its stub is there.
    leaf: str | None = None


class Mirror:
    """One mirrored log."""

    def __init__(self, folder: Path) -> None:
        """Read the checkpoints of ``folder``; nothing is verified yet. Raises ``Damaged``."""
        self.folder = folder
        self.notes = self._notes()
        self.size = self.notes[-1].size if self.notes else 0

    def demand(self, witness: Path) -> None:
        """Demand that this log contains the checkpoint in the file ``witness``, which was kept elsewhere.

        Whoever can write to the mirror could roll it back; only what they cannot reach tells. Raises ``Damaged``.
        """
        kept = self._note(witness, named=False)
        here = next((note for note in self.notes if note.size == kept.size), None)
        if here is None:
            tree = CompactRange()
            for entry in itertools.islice(self.entries(), kept.size):
                tree.append(leaf_of(entry))
            here = Note(tree.size, tree.root(), b"")
        if (here.size, here.root) != (kept.size, kept.root):
            detail = f"`{self.folder}` does not contain the checkpoint of size {kept.size} in `{witness}`"
            raise Damaged(detail, hint="the mirror was rolled back or replaced: look for another copy of it")

    def verify(self, key: VerifierKey) -> None:
        """Verify every checkpoint: signed with ``key``, and the root over the entries. Raises ``Damaged``.

        A stub is taken for what it stands for only when a later record says that this very number was purged.
        """
        tree, account = CompactRange(), Account()
        entries = self.entries()
        for note in self.notes:
            self._check(note, key)
            for _ in range(note.size - tree.size):
                entry = next(entries)
                self._account(account, tree.size, entry)
                tree.append(leaf_of(entry))
            if tree.root() != note.root:
                raise Damaged(f"the first {note.size} records in `{self.folder}` are not those that were signed")
        for number in account.unnamed():
            raise Damaged(
                f"record {number} in `{self.folder}` was taken out, and no later record says that it was purged"
            )

    def _account(self, account: Account, number: int, entry: bytes) -> None:
        try:
            account.see(number, entry)
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"record {number} in `{self.folder}` cannot be read: {error}") from error

    def entries(self, start: int = 0) -> Iterator[bytes]:
        """Yield the records from number ``start`` on as octets. Raises ``Damaged`` for a bundle that is not whole."""
        for index in range(start // WIDTH, -(-self.size // WIDTH)):
            yield from self._read(index)[max(0, start - index * WIDTH) :]

    def records(self, start: int = 0) -> Iterator[Record]:
        """Yield the records from number ``start`` on. Raises ``Damaged``."""
        for place, content in enumerate(self.entries(start)):
            yield parse_record(start + place, content)

    def _notes(self) -> list[Note]:
        # The history is written before the checkpoint is shown: after a crash it may know one more, which was signed.
        folder = self.folder / HISTORY
        found = [self._note(path) for path in folder.glob("[0-9]*")] if folder.is_dir() else []
        notes = {note.size: note for note in found}
        shown = self.folder / CHECKPOINT
        if shown.exists():
            note = self._note(shown)
            if note.size not in notes or notes[note.size].content != note.content:
                raise Damaged(f"`{shown}` is not in the history of checkpoints beside it")
        elif notes:
            raise Damaged(f"`{self.folder}` shows no checkpoint, but there is a history of them")
        return [notes[size] for size in sorted(notes)]

    def _note(self, path: Path, *, named: bool = True) -> Note:
        try:
            content = path.read_bytes()
            parsed = checkpoint.parse_checkpoint(content)
        except (OSError, TrustError) as error:
            raise Damaged(f"`{path}` is no checkpoint: {error}") from error
        if named and path.name not in (CHECKPOINT, str(parsed.size)):
            raise Damaged(f"`{path}` is a checkpoint of size {parsed.size}")
        return Note(parsed.size, parsed.root, content)

    def _check(self, note: Note, key: VerifierKey) -> None:
        try:
            checkpoint.verify_checkpoint(note.content, key)
        except TrustError as error:
            raise Damaged(f"`{self.folder / HISTORY / str(note.size)}`: {error.detail}") from error

    def bundle(self, index: int) -> Path:
        """Return the file of an entry bundle."""
        # An incomplete bundle may have been replaced by the full one of a size that nobody signed yet.
        incomplete = self.folder / tile_path(ENTRIES, index, self._width(index))
        return incomplete if incomplete.exists() else self.folder / tile_path(ENTRIES, index)

    def _width(self, index: int) -> int:
        return min(WIDTH, self.size - index * WIDTH)

    def _read(self, index: int) -> list[bytes]:
        path = self.bundle(index)
        try:
            entries = parse_bundle(path.read_bytes())
        except (OSError, TrustError) as error:
            raise Damaged(f"`{path}` cannot be read: {error}") from error
        if len(entries) < self._width(index):
            raise Damaged(f"`{path}` holds {len(entries)} records instead of {self._width(index)}")
        return entries[: self._width(index)]


def parse_record(sequence: int, content: bytes) -> Record:
    """Read a record's octets, or the stub in its place. Raises ``Damaged`` for what is no record of ours."""
    stub = parse_stub(content)
    if stub is not None:
        return _stubbed(sequence, content, stub)
    try:
        said = read_fields(content)
        details = said["details"]
        if not isinstance(details, dict):
            raise TypeError("its details are no JSON object")
        return Record(
            sequence=sequence,
            content=content,
            identifier=str(said["id"]),
            at=from_rfc3339(str(said["at"])),
            type=str(said["type"]),
            actor=str(said["actor"]),
            object=str(said["object"]),
            domain=str(said["domain"]),
            result=str(said["result"]),
            details=details,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"record {sequence} of the evidence cannot be read: {error}") from error


def _stubbed(sequence: int, content: bytes, stub: Stub) -> Record:
    """Return what the store keeps of a purged record: the id is made from its hash, everything else is gone."""
    leaf = stub.leaf.hex()
    nothing = {"actor": "", "object": "", "domain": "", "result": ""}
    return Record(sequence, content, leaf[:32], STUB_TIME, STUB_TYPE, **nothing, details={}, leaf=leaf)
