"""How a sequencer finds its way back: from the right edge of the tree, not from every record there is.

The hash tiles on disk are a snapshot that is always there: the incomplete tile of each level is the whole state of a
tree (C2SP tlog-tiles), and a signed root says whether it is the right one. When no copy has it, the tree is made
again from the records.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlmodel import col, select

from core.database import Database
from core.ledger import checkpoint, numbered, published
from core.ledger.checkpoint import Checkpoint, VerifierKey
from core.ledger.errors import BadCheckpoint, BadTile, InconsistentLog, UnknownTile
from core.ledger.models import LedgerCheckpoint
from core.ledger.numbered import Numbered
from core.ledger.publication import published_size
from core.ledger.storage import LogFolder
from core.ledger.tiles import ENTRIES, WIDTH, TileTree

#: Checkpoints and records read from the store at once.
_PAGE, _BATCH = 500, 1_000

#: How the paths of the tiles begin that hold nothing but one record's worth each: its hash, or itself.
_MADE_AGAIN = ("tile/0/", f"tile/{ENTRIES}/")


def marks(database: Database, copies: Iterable[LogFolder], key: VerifierKey) -> list[Checkpoint]:
    """Return what a sequencer that begins must hold itself to, by size.

    The newest published checkpoint stands for all before it: each was signed only as a continuation of the last.
    Beside it what was signed after it, and what each copy shows. Raises ``BadCheckpoint`` and
    ``BadCheckpointSignature`` when a copy shows what this log did not sign.
    """
    with database.read() as session:
        newest = published_size(session)
    found = set(signed_after(database, newest - 1, key.name))
    for copy in copies:
        shown = _shown(copy, key)
        if shown is not None:
            found.add(shown)
    return sorted(found, key=lambda mark: mark.size)


def _shown(copy: LogFolder, key: VerifierKey) -> Checkpoint | None:
    note = copy.newest()
    if note is None:
        return None
    try:
        checkpoint.verify_checkpoint(note, key)
        return checkpoint.parse_checkpoint(note)
    except BadCheckpoint as error:
        # Nobody knows how far the log went: whoever goes on from less would sign a second history.
        raise BadCheckpoint(
            f"the checkpoint in `{copy.directory}` is damaged: {error.detail}",
            hint="remove that file once another copy, or the store, is known to be as new as it was",
        ) from error


def signed_after(database: Database, size: int, origin: str) -> Iterator[Checkpoint]:
    """Yield every checkpoint beyond ``size`` that the store knows, by size; few of them are in memory at once."""
    for row in rows_after(database, size):
        yield Checkpoint(origin, row.size, bytes.fromhex(row.root))


def rows_after(database: Database, size: int) -> Iterator[LedgerCheckpoint]:
    """Yield the rows of the checkpoints beyond ``size``, by size."""
    while True:
        with database.read() as session:
            beyond = select(LedgerCheckpoint).where(col(LedgerCheckpoint.size) > size)
            page = session.exec(beyond.order_by(col(LedgerCheckpoint.size)).limit(_PAGE)).all()
            session.expunge_all()
        yield from page
        if len(page) < _PAGE:
            return
        size = page[-1].size


def grow(
    database: Database, tree: TileTree | None, marks: Sequence[Checkpoint], origin: str
) -> tuple[TileTree, dict[str, bytes]]:
    """Let ``tree`` grow to each of ``marks``, or without one a new tree to everything that was ever signed.

    Returns the tree and its new full tiles above the leaves; the others are made again (``scrub.py``). Nothing is
    written: what is not yet known to be right must not replace what may be. Raises ``InconsistentLog`` when the records
    are not those that were signed.
    """
    wanted: Iterable[Checkpoint] = marks
    if tree is None:
        tree = TileTree()
        wanted = heapq.merge(signed_after(database, 0, origin), marks, key=lambda mark: mark.size)
    above: dict[str, bytes] = {}
    for mark in wanted:
        while tree.size < mark.size:
            _append(database, tree, mark.size)
            above |= {path: tile for path, tile in tree.take_complete().items() if not path.startswith(_MADE_AGAIN)}
        if tree.root() != mark.root:
            raise InconsistentLog(
                f"the first {mark.size} records are not those that were signed: a record was changed in the store",
                hint="nothing more is signed; compare the store with the entry bundles of the mirror",
            )
    return tree, above


def _append(database: Database, tree: TileTree, size: int) -> None:
    with database.read() as session:
        records = numbered.read(session, tree.size, min(_BATCH, size - tree.size))
    if not records:
        raise InconsistentLog(
            f"a checkpoint of size {size} was signed, the store holds only {tree.size} records",
            hint="the store is older than its evidence: restore the records from the mirror first",
        )
    for record in records:
        tree.append(record.content, leaf=record.leaf)


def resume(database: Database, copies: Iterable[LogFolder], mark: Checkpoint) -> TileTree | None:
    """Return the tree at ``mark`` from the tiles of one of ``copies``, or nothing when none has it.

    Tiles and the records under the last of them must agree with each other and with the root of ``mark``.
    """
    start = mark.size // WIDTH * WIDTH
    with database.read() as session:
        tail = numbered.read(session, start, mark.size - start)
    for copy in copies:
        try:
            levels = read_edge(copy.directory, mark.size)
        except (UnknownTile, BadTile):
            continue
        tree = _joined(levels, tail)
        if tree is not None and tree.root() == mark.root:
            return tree
    return None


def read_edge(directory: Path, size: int) -> list[list[bytes]]:
    """Return the hashes of the incomplete tile of each level of a tree of ``size`` entries, the leaves' first.

    Raises ``UnknownTile``, ``BadTile``, ``StorageFailed``.
    """
    levels: list[list[bytes]] = []
    while count := size // WIDTH ** len(levels):
        index, width = divmod(count, WIDTH)
        levels.append(published.hashes(directory, len(levels), index, width) if width else [])
    return levels


def _joined(levels: Sequence[Sequence[bytes]], tail: Sequence[Numbered]) -> TileTree | None:
    leaves = [record.leaf for record in tail]
    if list(levels[0] if levels else []) != leaves:
        return None
    return TileTree.resume(levels, [record.content for record in tail])
