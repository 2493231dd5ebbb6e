"""The witness: every answer of C2SP tlog-witness, never two trees of one size, never back; on both stores."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlmodel import SQLModel, select

from core.database import Database
from core.errors import Malformed, Unavailable
from core.ledger import checkpoint, cosignature, merkle, proving, published, witness
from core.ledger.errors import (
    BadCheckpoint,
    ForeignSignature,
    ForkedLog,
    MalformedProof,
    StaleSize,
    UnknownLog,
    WitnessDamaged,
)
from core.ledger.models import EvidenceRow, RefusedCheckpoint, WitnessedLog
from core.ledger.place import LedgerPlace
from core.ledger.proof import Submission
from tests.clock import ManualClock
from tests.core.ledger.installation import LOG_KEY, SIGNER, WITNESS, WITNESS_KEY, application, witness_of
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import ORIGIN, Log
from tests.failing import FailingDatabase, Failure
from tests.services.http import serving


@pytest.fixture
def other(tmp_path: Path, clock: ManualClock) -> Iterator[Log]:
    """The log that is witnessed: always over SQLite, the witness over either store."""
    (tmp_path / "other").mkdir()
    database = Database(f"sqlite:///{tmp_path}/other/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    yield Log(database, clock, tmp_path / "other")
    database.close()


def grown(log: Log, *counts: int) -> LedgerPlace:
    """Sign a checkpoint after each count of further records."""
    for count in counts:
        log.append(count)
        log.sequencer().run_once()
    return LedgerPlace(log.directory, LOG_KEY)


def body(place: LedgerPlace, since: int, size: int) -> bytes:
    return proving.prove_consistency(place, since, size).encode()


def fork(size: int, root: bytes = bytes(32)) -> bytes:
    """A checkpoint that the log's own key signed over another history."""
    return checkpoint.sign_checkpoint(checkpoint.Checkpoint(ORIGIN, size, root), MemoryCheckpointSigner())


def fork_unchecked(size: int) -> bytes:
    """The same of a size that we would not sign."""
    text = checkpoint.Checkpoint(ORIGIN, size, bytes(32)).text()
    return text + b"\n" + checkpoint.signature_line(LOG_KEY, MemoryCheckpointSigner().sign(text))


def events(log: Log, kind: str) -> list[EvidenceRow]:
    with log.database.read() as session:
        return list(session.exec(select(EvidenceRow).where(EvidenceRow.type == kind)))


def state(log: Log) -> tuple[int, str]:
    with log.database.read() as session:
        rows = witness.seen(session)
        return (rows[0].size, rows[0].root) if rows else (0, "")


def test_a_log_that_grows_is_cosigned(log: Log, other: Log) -> None:
    place = grown(other, 3, 300, 1)
    ours = witness_of(log)
    for old, size in ((0, 3), (3, 303), (303, 304), (304, 304)):
        line = ours.add_checkpoint(body(place, old, size))
        note = published.signed(other.directory, size)
        made = cosignature.verify_cosignature(note + line, WITNESS_KEY)
        assert made.at == log.clock.now()
        assert state(log) == (size, checkpoint.parse_checkpoint(note).root.hex())


def test_what_the_witness_saw_is_on_record_but_not_each_time(log: Log, other: Log, clock: ManualClock) -> None:
    """Two installations that witness each other would otherwise never come to rest."""
    place = grown(other, 3, 3, 3)
    ours = witness_of(log)
    ours.add_checkpoint(body(place, 0, 3))
    ours.add_checkpoint(body(place, 3, 6))
    assert [row.object for row in events(log, "ledger.witness.advanced")] == [f"log:{ORIGIN}"]
    clock.advance(hours=1)
    ours.add_checkpoint(body(place, 6, 6))
    assert len(events(log, "ledger.witness.advanced")) == 1
    ours.add_checkpoint(body(place, 6, 9))
    recorded = events(log, "ledger.witness.advanced")
    assert len(recorded) == 2
    assert published.signed(other.directory, 9).decode().split("\n")[2].encode() in recorded[1].content


def test_a_stale_size_is_told_the_right_one_and_changes_nothing(log: Log, other: Log) -> None:
    place = grown(other, 3, 4, 5)
    ours = witness_of(log)
    with pytest.raises(StaleSize) as first:
        ours.add_checkpoint(body(place, 3, 7))
    assert first.value.size == 0
    ours.add_checkpoint(body(place, 0, 7))
    for old, size in ((0, 12), (3, 12), (3, 3), (12, 12)):
        with pytest.raises(StaleSize) as stale:
            ours.add_checkpoint(body(place, old, size))
        assert stale.value.size == 7
    assert state(log)[0] == 7
    assert events(log, "ledger.witness.refused") == []


def test_a_fork_is_refused_and_on_record_once(log: Log, other: Log, clock: ManualClock) -> None:
    place = grown(other, 3, 4)
    ours = witness_of(log)
    ours.add_checkpoint(body(place, 0, 7))
    before = state(log)
    # Another tree of the same size: two signatures of one key that contradict each other.
    for old in (7, 0, 3):
        with pytest.raises(StaleSize, match="another tree"):
            ours.add_checkpoint(Submission(old, (), fork(7)).encode())
    # A larger tree that does not begin with what was seen.
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(9)]
    wrong = Submission(7, tuple(merkle.consistency_proof(leaves, 7)), fork(9, merkle.root_hash(leaves)))
    for _ in range(2):
        with pytest.raises(ForkedLog, match="does not continue"):
            ours.add_checkpoint(wrong.encode())
    recorded = events(log, "ledger.witness.refused")
    assert [(row.result, row.object) for row in recorded] == [("refused", f"log:{ORIGIN}")] * 2
    assert b"same-size-other-tree" in recorded[0].content
    assert b"no-proof-of-growth" in recorded[1].content
    with log.database.read() as session:
        kept = {row.reason: row.note for row in witness.refused(session)}
    assert kept == {witness.FORKED: fork(7), witness.UNPROVEN: wrong.note}
    assert state(log) == before


def test_a_size_that_no_record_could_hold_is_no_checkpoint(log: Log, other: Log) -> None:
    place = grown(other, 3)
    ours = witness_of(log)
    ours.add_checkpoint(body(place, 0, 3))
    text = fork(9).replace(b"\n9\n", b"\n%d\n" % (2**53 - 1))
    assert checkpoint.parse_checkpoint(text).size == 2**53 - 1
    for size in (2**53, 2**63, 9_999_999_999_999_999_999):
        note = fork_unchecked(size)
        with pytest.raises((MalformedProof, BadCheckpoint), match="size cannot be read"):
            ours.add_checkpoint(Submission(3, (bytes(32),), note).encode())
    # The largest that can be put on record is.
    with pytest.raises(ForkedLog):
        ours.add_checkpoint(Submission(3, (bytes(32),), fork(2**53 - 1)).encode())
    (recorded,) = events(log, "ledger.witness.refused")
    assert str(2**53 - 1).encode() in recorded.content
    assert state(log)[0] == 3


def test_wrong_proofs_by_strangers_do_not_fill_the_evidence(log: Log, other: Log, clock: ManualClock) -> None:
    place = grown(other, 3, 1, 1, 1)
    ours = witness_of(log)
    ours.add_checkpoint(body(place, 0, 3))
    for size in (4, 5, 6):
        with pytest.raises(ForkedLog):
            ours.add_checkpoint(Submission(3, (bytes(32),), published.signed(other.directory, size)).encode())
    assert len(events(log, "ledger.witness.refused")) == 1
    clock.advance(minutes=2)
    with pytest.raises(ForkedLog):
        ours.add_checkpoint(Submission(3, (), published.signed(other.directory, 6)).encode())
    assert len(events(log, "ledger.witness.refused")) == 2


def test_who_is_not_known_or_did_not_sign_is_refused(log: Log, other: Log) -> None:
    place = grown(other, 3)
    good = body(place, 0, 3)
    with pytest.raises(UnknownLog):
        witness_of(log, logs=()).add_checkpoint(good)
    stranger = checkpoint.verifier_key(ORIGIN, MemoryCheckpointSigner(b"another key"))
    with pytest.raises(ForeignSignature):
        witness_of(log, logs=(stranger,)).add_checkpoint(good)
    with pytest.raises(ForeignSignature):
        witness_of(log).add_checkpoint(good.replace(b"\n3\n", b"\n4\n"))
    with pytest.raises(Malformed, match="cannot have grown"):
        witness_of(log).add_checkpoint(Submission(4, (), published.signed(other.directory, 3)).encode())
    with pytest.raises(ForkedLog):
        witness_of(log).add_checkpoint(Submission(0, (bytes(32),), published.signed(other.directory, 3)).encode())
    for broken in (b"", b"old 0", b"old 0\n\n", good[:-1], b"old -1" + good[5:], b"x" * 200_000):
        with pytest.raises(MalformedProof):
            witness_of(log).add_checkpoint(broken)
    assert state(log) == (0, "")


@pytest.mark.parametrize("round_", range(3))
def test_two_trees_at_once_are_never_both_cosigned(log: Log, other: Log, round_: int) -> None:
    """Ten threads submit ten trees of one size, each signed by the log; also while there is no row to lock yet."""
    place = grown(other, 3)
    if round_:
        witness_of(log).add_checkpoint(body(place, 0, 3))
    lines: dict[bytes, bytes] = {}
    refused: list[Exception] = []
    start = threading.Barrier(10)

    def submit(number: int) -> None:
        leaves = [merkle.leaf_hash(entry) for entry in published.entries(other.directory, 0, 3)]
        leaves += [merkle.leaf_hash(f"{number}-{place}".encode()) for place in range(4)]
        note = fork(7, merkle.root_hash(leaves))
        proof = merkle.consistency_proof(leaves, 3) if round_ else []
        start.wait(10)
        try:
            lines[note] = witness_of(log).add_checkpoint(Submission(3 if round_ else 0, tuple(proof), note).encode())
        except (StaleSize, Unavailable) as error:
            refused.append(error)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(lines), len(refused)) == (1, 9)
    (note,) = lines
    assert state(log) == (7, checkpoint.parse_checkpoint(note).root.hex())


def test_sizes_never_go_back_whoever_comes_last(log: Log, other: Log) -> None:
    place = grown(other, *[1] * 12)
    witness_of(log).add_checkpoint(body(place, 0, 1))
    cosigned: list[int] = []
    highest: list[int] = []

    def climb(first: int) -> None:
        for size in range(first, 13, 2):
            for _ in range(40):
                have = state(log)[0]
                if have >= size:
                    break
                try:
                    witness_of(log).add_checkpoint(body(place, have, size))
                    cosigned.append(size)
                    break
                except (StaleSize, Unavailable):
                    continue
            highest.append(state(log)[0])

    threads = [threading.Thread(target=climb, args=(first,)) for first in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert state(log)[0] == 12
    assert len(cosigned) == len(set(cosigned))


@pytest.mark.parametrize("how", list(Failure))
def test_a_store_that_fails_gives_no_cosignature_and_the_next_try_does(
    log: Log, other: Log, store_url: str, how: Failure
) -> None:
    place = grown(other, 3, 4)
    database = FailingDatabase(store_url)
    ours = witness_of(log, database=database)
    ours.add_checkpoint(body(place, 0, 3))
    database.arm(1, how)
    with pytest.raises(Unavailable):
        ours.add_checkpoint(body(place, 3, 7))
    assert state(log)[0] == (3 if how is Failure.NOT_APPLIED else 7)
    old = state(log)[0]
    cosignature.verify_cosignature(
        published.signed(other.directory, 7) + ours.add_checkpoint(body(place, old, 7)), WITNESS_KEY
    )
    database.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"root": "no root"},
        {"root": ""},
        {"root": "00" * 32},
        {"size": 2},
        {"size": 4},
        {"note": b""},
        {"note": fork(3)},
    ],
)
def test_a_witness_whose_store_contradicts_itself_says_so_and_cosigns_nothing(
    log: Log, other: Log, changed: dict[str, object]
) -> None:
    place = grown(other, 3, 4)
    ours = witness_of(log)
    ours.add_checkpoint(body(place, 0, 3))
    with log.database.write() as session:
        row = session.get_one(WitnessedLog, ORIGIN)
        for name, value in changed.items():
            setattr(row, name, value)
        session.add(row)
    before = state(log)
    for old, size in ((3, 7), (0, 7), (3, 3), (2, 7)):
        with pytest.raises(WitnessDamaged, match=f"keeps of the log `{ORIGIN}` is not what that log signed") as damaged:
            ours.add_checkpoint(body(place, old, size))
        assert "recover.md" in damaged.value.hint
    assert state(log) == before
    assert events(log, "ledger.witness.refused") == []
    with serving(application(log, ours)) as url, httpx2.Client() as client:
        answer = client.post(f"{url}/witness/add-checkpoint", content=body(place, 3, 7))
    assert (answer.status_code, answer.json()["reason"]) == (503, "witness-damaged")


def test_without_its_key_the_witness_counts_nothing(log: Log, other: Log) -> None:
    class Gone(MemoryCheckpointSigner):
        def public_key(self) -> bytes:
            raise Unavailable("the signer does not answer")

    with pytest.raises(Unavailable):
        witness_of(log, signer=Gone()).add_checkpoint(body(grown(other, 3), 0, 3))
    assert state(log) == (0, "")


def test_the_answers_of_the_protocol(log: Log, other: Log) -> None:
    place = grown(other, 3, 4, 5)
    good = body(place, 0, 7)
    stranger = good.replace(ORIGIN.encode(), b"nobody.example/log")
    text, _, _ = published.signed(other.directory, 7).partition(b"\n\n")
    unsigned = b"old 0\n\n" + text + b"\n\n" + checkpoint.signature_line(LOG_KEY, bytes(64))
    with serving(application(log, witness_of(log))) as url, httpx2.Client() as client:

        def post(content: bytes, kind: str | None = "text/plain") -> httpx2.Response:
            headers = {} if kind is None else {"Content-Type": kind}
            return client.post(f"{url}/witness/add-checkpoint", content=content, headers=headers)

        assert post(stranger).status_code == 404
        assert post(unsigned).status_code == 403
        assert post(good.replace(b"old 0", b"old 8")).status_code == 400
        assert post(b"nonsense").status_code == 400
        assert post(b"").status_code == 400
        assert post(good + b"x" * 30_000).status_code == 400
        assert post(b"x" * 9_000_000).status_code == 413
        assert post(body(place, 3, 7)).status_code == 409
        for kind in ("text/plain", "application/octet-stream", None):
            first = post(good if kind == "text/plain" else body(place, 7, 7), kind)
            assert first.status_code == 200, first.text
            assert first.headers["content-type"].startswith("text/plain")
            note = published.signed(other.directory, 7)
            cosignature.verify_cosignature(note + first.content, WITNESS_KEY)
        stale = post(body(place, 3, 12))
        assert (stale.status_code, stale.headers["content-type"], stale.content) == (409, "text/x.tlog.size", b"7\n")
        assert post(Submission(7, (), fork(7)).encode()).status_code == 409
        assert post(Submission(7, (bytes(32),), fork(9)).encode()).status_code == 422
        assert client.get(f"{url}/witness/add-checkpoint").status_code == 405


def test_one_address_cannot_keep_the_witness_busy(log: Log, other: Log, clock: ManualClock) -> None:
    good = body(grown(other, 3), 0, 3)
    with serving(application(log, witness_of(log), most=5)) as url, httpx2.Client() as client:
        told = [client.post(f"{url}/witness/add-checkpoint", content=good).status_code for _ in range(8)]
        assert sorted(set(told[:5])) == [200, 409]
        assert told[5:] == [429] * 3
        clock.advance(seconds=12)
        assert client.post(f"{url}/witness/add-checkpoint", content=good).status_code == 409


def test_the_tables_hold_what_they_say(log: Log, other: Log) -> None:
    place = grown(other, 3)
    witness_of(log).add_checkpoint(body(place, 0, 3))
    with log.database.read() as session:
        row = session.get_one(WitnessedLog, ORIGIN)
        assert row.note == published.signed(other.directory, 3)
        assert session.exec(select(RefusedCheckpoint)).all() == []
    line = witness_of(log).add_checkpoint(body(place, 3, 3))
    raw = base64.b64decode(line.split(b" ")[2])
    assert raw[:4] == WITNESS_KEY.key_hash
    assert WITNESS.encode() in line
    assert SIGNER.signed[-1].startswith(b"cosignature/v1\ntime ")
