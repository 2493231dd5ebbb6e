"""Proofs from tiles: the same as from all leaves, by few reads; their files; what is not one is refused."""

import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger import merkle, proof, proving, published
from core.ledger.errors import (
    BadCheckpointSignature,
    BadProof,
    InconsistentLog,
    MalformedProof,
    UnknownRecord,
)
from core.ledger.proof import RecordProof, Submission, TiledTree
from core.ledger.tiles import WIDTH, TileTree, parse_tile, tile_path
from tests.core.ledger.logs import Log
from tests.verify.bundles import place_of

COUNT = 66_000
ENTRIES = [str(number).encode() for number in range(COUNT)]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def tiles_of(size: int) -> dict[str, bytes]:
    grown = TileTree()
    for entry in ENTRIES[:size]:
        grown.append(entry)
    return {**grown.take_complete(), **grown.incomplete()}


def tree_of(size: int, reads: Counter[str] | None = None) -> TiledTree:
    made = tiles_of(size)

    def read(level: int, index: int, width: int) -> Sequence[bytes]:
        name = tile_path(level, index, width)
        if reads is not None:
            reads[name] += 1
        return parse_tile(made[name])

    return TiledTree(size, read)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_same_proofs_as_from_all_leaves(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1100))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    tree = tree_of(size)
    assert tree.root() == merkle.root_hash(LEAVES[:size])
    assert tree.root_at(old) == merkle.root_hash(LEAVES[:old])
    assert tree.leaf(index) == LEAVES[index]
    assert tree.inclusion(index) == merkle.inclusion_proof(LEAVES[:size], index)
    assert tree.consistency(old) == merkle.consistency_proof(LEAVES[:size], old)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 66_000])
def test_proofs_at_the_edges_of_tiles(size: int) -> None:
    reads: Counter[str] = Counter()
    root = merkle.root_hash(LEAVES[:size])
    for number in {0, size // 2, size - 1}:
        tree = tree_of(size, reads)
        merkle.verify_inclusion(index=number, size=size, leaf=LEAVES[number], proof=tree.inclusion(number), root=root)
        old = number + 1
        merkle.verify_consistency(
            size1=old,
            size2=size,
            proof=tree.consistency(old),
            root1=merkle.root_hash(LEAVES[:old]),
            root2=root,
        )
        assert len(reads) <= 3 * 4
        assert max(reads.values(), default=0) <= 3


def test_a_tree_of_nothing_and_what_cannot_be_proved() -> None:
    empty = TiledTree(0, lambda *_: [])
    assert empty.root() == merkle.EMPTY_ROOT
    for tree, call in ((empty, 0), (tree_of(5), 5), (tree_of(5), -1)):
        with pytest.raises(BadProof):
            tree.inclusion(call)
    for size in (0, -1, 6):
        with pytest.raises(BadProof):
            tree_of(5).consistency(size)


def test_a_log_of_a_million_records_is_proved_in_milliseconds() -> None:
    """The tiles of a million leaves are made up level by level, so that the test need not make the records."""
    size = 1_000_003
    leaf = sha256(b"leaf").digest()
    level = [leaf] * size
    made: dict[tuple[int, int], list[bytes]] = {}
    height = 0
    while level:
        made |= {(height, start // WIDTH): level[start : start + WIDTH] for start in range(0, len(level), WIDTH)}
        full: dict[bytes, bytes] = {}
        parents = []
        for start in range(0, len(level) - WIDTH + 1, WIDTH):
            part = level[start : start + WIDTH]
            key = part[0]
            full[key] = full.get(key) or merkle.root_hash(part)
            parents.append(full[key])
        level, height = parents, height + 1
    reads = 0

    def read(height: int, index: int, width: int) -> Sequence[bytes]:
        nonlocal reads
        reads += 1
        assert len(made[height, index]) == width
        return made[height, index]

    begun = time.perf_counter()
    tree = TiledTree(size, read)
    root, path = tree.root(), tree.inclusion(765_432)
    grown = tree.consistency(654_321)
    taken = time.perf_counter() - begun
    merkle.verify_inclusion(index=765_432, size=size, leaf=leaf, proof=path, root=root)
    old = TiledTree(654_321, lambda height, index, width: made[height, index][:width]).root()
    merkle.verify_consistency(size1=654_321, size2=size, proof=grown, root1=old, root2=root)
    assert reads <= 9
    assert taken < 0.25


def test_a_record_of_the_published_log_is_proved(log: Log) -> None:
    identifiers = log.append(300)
    log.sequencer().run_once()
    log.append(40)
    log.sequencer().run_once()
    place = place_of(log)
    for number in (0, 255, 256, 299, 339):
        made = proving.prove_record(place, number)
        parsed = proof.parse_record_proof(made.encode())
        assert parsed == made
        parsed.verify(place.key)
    with log.database.read() as session:
        assert proving.find_number(session, identifiers[299]) == 299
        assert proving.find_number(session, "17") == 17
        for unknown in ("0" * 32, "", "x", "\u0661", "1" * 17):
            with pytest.raises(UnknownRecord):
                proving.find_number(session, unknown)
    for beyond in (340, 2**53, 10**16):
        with pytest.raises(BadProof, match="no checkpoint covers"):
            proving.prove_record(place, beyond)


def test_growth_of_the_published_log_is_proved(log: Log) -> None:
    for count in (3, 300, 40):
        log.append(count)
        log.sequencer().run_once()
    place = place_of(log)
    for since in (1, 3, 255, 256, 303, 343):
        made = proving.prove_consistency(place, since)
        assert proof.parse_submission(made.encode()) == made
    assert proving.prove_consistency(place, 0).hashes == ()
    assert proving.prove_consistency(place, 3, 303).note == published.signed(log.directory, 303)
    with pytest.raises(BadProof, match="fewer than 344"):
        proving.prove_consistency(place, 344)


def test_tiles_that_were_changed_on_disk_prove_nothing(sqlite_log: Log) -> None:
    sqlite_log.append(300)
    sqlite_log.sequencer().run_once()
    tile = sqlite_log.directory / "tile/0/000"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    with pytest.raises(InconsistentLog, match="published tiles"):
        proving.prove_record(place_of(sqlite_log), 1)
    with pytest.raises(InconsistentLog, match="published tiles"):
        proving.prove_consistency(place_of(sqlite_log), 100)


def sample(log: Log) -> RecordProof:
    log.append(20)
    log.sequencer().run_once()
    return proving.prove_record(place_of(log), 7)


def test_another_record_place_or_key_does_not_verify(sqlite_log: Log) -> None:
    made, place = sample(sqlite_log), place_of(sqlite_log)
    for wrong in (
        RecordProof(8, made.hashes, made.note, made.record),
        RecordProof(7, made.hashes, made.note, made.record + b" "),
        RecordProof(7, made.hashes[::-1], made.note, made.record),
        RecordProof(7, made.hashes[:-1], made.note, made.record),
        RecordProof(20, made.hashes, made.note, made.record),
    ):
        with pytest.raises(BadProof):
            wrong.verify(place.key)
    with pytest.raises(BadCheckpointSignature):
        RecordProof(7, made.hashes, made.note.replace(b"\n20\n", b"\n21\n"), made.record).verify(place.key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"c2sp.org/tlog-proof@v1", b"c2sp.org/tlog-proof@v2"),
        (b"extra ", b"extra  "),
        (b"index 7", b"index 07"),
        (b"index 7", b"index -7"),
        (b"index 7", b"index 99999999999999999999"),
        (b"index 7\n", b"index 7\nAAAA\n"),
        (b"index 7\n", b"index 7\n" + b"A" * 43 + b"=\n" * 1 + (b"A" * 43 + b"=\n") * 70),
        (b"index 7\n", "index 7\nüü\n".encode()),
        (b"\n\n", b"\n"),
        (b"index 7\n", b""),
    ],
)
def test_a_file_that_is_no_proof_is_refused(sqlite_log: Log, old: bytes, new: bytes) -> None:
    content = sample(sqlite_log).encode()
    assert old in content
    with pytest.raises(MalformedProof):
        proof.parse_record_proof(content.replace(old, new))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"old 1",
        b"old 01\n\n",
        b"old x\n\nnote",
        b"new 1\n\nx\n1\nAAAA\n\n",
        b"\xff\n\n\xff",
        b"x" * 200_000,
    ],
)
def test_a_body_that_is_no_submission_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedProof):
        proof.parse_submission(content)


def test_the_body_of_a_submission_is_that_of_the_standard(sqlite_log: Log) -> None:
    """The example of C2SP tlog-witness, with a checkpoint of three lines."""
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
        "zyWE+xeMcTOAYQ8=\n"
    )
    body = (
        "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        f"jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\n{note}"
    ).encode()
    parsed = proof.parse_submission(body)
    assert (parsed.old, len(parsed.hashes), parsed.note) == (20852014, 2, note.encode())
    assert Submission(parsed.old, parsed.hashes, parsed.note).encode() == body
