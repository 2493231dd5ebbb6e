"""Our log is witnessed: sent, verified, kept, shown; whatever a witness answers, and wherever the disk fails."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from core.database import Database
from core.errors import TrustError, Unavailable
from core.ledger import bundle, checkpoint, cosignature, proving, published, witnessing
from core.ledger.checkpoint import COSIGNER_KEY
from core.ledger.errors import StorageFailed, WitnessFailed
from core.ledger.models import KeptCosignature
from core.ledger.outward import Answer
from core.ledger.place import LedgerPlace
from core.ledger.sequencer import BUNDLE_EXPORTED
from deploy.outward import HttpPoster
from tests.core.ledger.installation import (
    LOG_KEY,
    WITNESS_KEY,
    Party,
    application,
    witness_of,
)
from tests.core.ledger.installation import witnessing as witnessing_of
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import Log
from tests.core.ledger.test_witness import other  # noqa: F401  # a fixture
from tests.failing import FailingDatabase, FailingWriter, Failure
from tests.services.http import serving
from tests.verify.bundles import failures, read, verify


def grow(log: Log, count: int = 3) -> int:
    log.append(count)
    log.sequencer().run_once()
    return checkpoint.parse_checkpoint(published.newest(log.directory)).size


def error_of(log: Log) -> str:
    with log.database.read() as session:
        return {row.witness: row.error for row in witnessing.progress(session)}[WITNESS_KEY.name]


def cosigned(folder: Path) -> int:
    return checkpoint.parse_checkpoint(published.cosigned(folder)).size


@dataclass
class Friends:
    """Three witnesses, each over the store of another log."""

    parties: list[Party]


@pytest.fixture
def friends(request: pytest.FixtureRequest, log: Log) -> Iterator[Friends]:
    other_log: Log = request.getfixturevalue("other")
    with ExitStack() as stack:
        parties = []
        for number in range(3):
            signer, name = MemoryCheckpointSigner(f"w{number}".encode()), f"w{number}.example"
            # Three witnesses in one store would be one memory: each has a table of its own.
            memory = other_log if number == 0 else stack.enter_context(_memory(other_log, number))
            made = application(memory, witness_of(memory, signer=signer, name=name))
            url = stack.enter_context(serving(made))
            parties.append(Party(f"W{number}", checkpoint.verifier_key(name, signer, COSIGNER_KEY), f"{url}/witness"))
        yield Friends(parties)


@contextmanager
def _memory(beside: Log, number: int) -> Iterator[Log]:
    root = beside.root / f"memory-{number}"
    root.mkdir()
    database = Database(f"sqlite:///{root}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    yield Log(database, beside.clock, root)
    database.close()


def test_every_checkpoint_is_witnessed_and_shown_beside_ours(log: Log, friends: Friends) -> None:
    ours = witnessing_of(log, friends.parties)
    ours.run()
    assert not (log.directory / "witness").exists(), "there is no checkpoint yet"
    for _ in range(3):
        size = grow(log, 200)
        ours.run()
        for folder in (log.directory, log.mirror):
            assert cosigned(folder) == size
            note = published.witnessed(folder)[size]
            assert ours.policy.verify(note) == [b"W0", b"W1", b"W2"]
            assert note.startswith(published.signed(folder, size))
            checkpoint.verify_checkpoint(note, LOG_KEY)
    assert sorted(published.witnessed(log.directory)) == [200, 400, 600]
    # The checkpoint itself is as we signed it, and the log verifies from outside.
    assert log.check() == 600
    before = published.witnessed(log.directory)
    ours.run()
    assert published.witnessed(log.directory) == before


def test_a_proof_carries_the_witnesses(log: Log, friends: Friends) -> None:
    grow(log)
    witnessing_of(log, friends.parties).run()
    grow(log)
    place = LedgerPlace(log.directory, LOG_KEY)
    policy = witnessing_of(log, friends.parties).policy
    assert policy.verify(proving.prove_record(place, 1).note) == [b"W0", b"W1", b"W2"]
    # Newer than what is witnessed: proved under our own checkpoint.
    assert proving.prove_record(place, 5).note == published.newest(log.directory)


def test_one_witness_that_fails_keeps_the_others_from_nothing(log: Log, friends: Friends) -> None:
    gone = Party("W9", WITNESS_KEY, "http://127.0.0.1:9/witness")
    ours = witnessing_of(log, [gone, *friends.parties], quorum="3")
    size = grow(log)
    with pytest.raises(WitnessFailed, match=WITNESS_KEY.name):
        ours.run()
    assert "does not answer" in error_of(log)
    assert cosigned(log.directory) == size
    # Without a quorum nothing is called cosigned, but what came is kept.
    strict = witnessing_of(log, [gone, *friends.parties])
    grow(log)
    with pytest.raises(WitnessFailed):
        strict.run()
    assert cosigned(log.directory) == size
    assert len(strict.policy.cosigned(published.witnessed(log.directory)[size + 3])) == 3


def test_who_comes_back_is_asked_again(log: Log, request: pytest.FixtureRequest) -> None:
    other_log: Log = request.getfixturevalue("other")
    grow(log)
    with pytest.raises(WitnessFailed):
        witnessing_of(log, [Party("W", WITNESS_KEY, "http://127.0.0.1:9/w")]).run()
    size = grow(log)
    with serving(application(other_log, witness_of(other_log))) as url:
        ours = witnessing_of(log, [Party("W", WITNESS_KEY, f"{url}/witness/")])
        ours.run()
        assert (cosigned(log.directory), error_of(log)) == (size, "")
        # The witness is ahead of what we remember: it tells, and we begin there.
        with log.database.write() as session:
            row = witnessing.progress(session)[0]
            row.size = 1
            session.add(row)
        grown = grow(log)
        ours.run()
        assert cosigned(log.directory) == grown


def test_a_log_that_was_rolled_back_is_found_out(log: Log, request: pytest.FixtureRequest) -> None:
    other_log: Log = request.getfixturevalue("other")
    with serving(application(other_log, witness_of(other_log))) as url:
        party = Party("W", WITNESS_KEY, f"{url}/witness")
        grow(log, 30)
        witnessing_of(log, [party]).run()
        # Another history of the same log: same origin, same key.
        forked = Log(log.database, log.clock, log.root / "forked")
        with log.database.write() as session:
            for table in ("evidence", "ledger_checkpoint", "ledger_lease", "witness_progress", "cosignature"):
                session.connection().exec_driver_sql(f"DELETE FROM {table}")
        forked.append(20, kind="test.other.history")
        forked.sequencer().run_once()
        with pytest.raises(WitnessFailed, match="was it rolled back"):
            witnessing_of(forked, [party]).run()
        forked.append(10)
        forked.sequencer().run_once()
        with pytest.raises(WitnessFailed, match="cosigned another tree of 30 records of this log: two histories"):
            witnessing_of(forked, [party]).run()
        forked.append(10)
        forked.sequencer().run_once()
        with pytest.raises(WitnessFailed, match="422"):
            witnessing_of(forked, [party]).run()
        assert not (forked.directory / "witness").exists()


Reply = Callable[[bytes], Response]


class Hostile:
    """A witness that answers what it is told to."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.reply(await Request(scope, receive).body())(scope, receive, send)


#: A line of a signature, of no key that there is: `cosign` splits at the last empty line, as whoever reads a note does.
NOBODY = checkpoint.signature_line(checkpoint.VerifierKey("nobody.example", bytes(32)), bytes(64))


def size_answer(text: str) -> Response:
    return Response(text, 409, headers={"Content-Type": "text/x.tlog.size"})


def line_of(note: bytes, at_seconds: float, log: Log, signer: MemoryCheckpointSigner | None = None) -> bytes:
    made = signer or MemoryCheckpointSigner(b"a witness")
    at = log.clock.now() + timedelta(seconds=at_seconds)
    return cosignature.cosign(note, name=WITNESS_KEY.name, signer=made, at=at)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("empty", "no cosignature"),
        ("garbage", "UTF-8"),
        ("text", "signature line"),
        ("large", "larger than"),
        ("other key", "no cosignature"),
        ("other checkpoint", "does not fit"),
        ("another text around ours", "does not fit"),
        ("future", "clocks"),
        ("past", "clocks"),
        ("ours", "no cosignature"),
        ("server error", "500: oops"),
        ("redirect", "307"),
        ("size is no number", "no size"),
        ("size is negative", "no size"),
        ("size is endless", "no size"),
        ("always stale", "409"),
        ("ahead", "rolled back"),
        ("this very size", "cosigned another tree of 6 records"),
        ("control characters", "500: a\N{REPLACEMENT CHARACTER}+b"),
    ],
)
def test_whatever_a_witness_answers(sqlite_log: Log, case: str, why: str) -> None:
    log = sqlite_log
    grow(log)
    size = grow(log)
    note, earlier = published.signed(log.directory, size), published.signed(log.directory, size - 3)
    replies: dict[str, Reply] = {
        "empty": lambda _: Response(b""),
        "garbage": lambda _: Response(b"\xff\xfe\n"),
        "text": lambda _: Response(b"hello\n"),
        "large": lambda _: Response(b"x" * 100_000),
        "other key": lambda _: Response(line_of(note, 0, log, MemoryCheckpointSigner(b"another"))),
        "other checkpoint": lambda _: Response(line_of(earlier, 0, log)),
        "another text around ours": lambda _: Response(b"\n" + line_of(note + b"\n" + NOBODY, 0, log)),
        "future": lambda _: Response(line_of(note, 3600, log)),
        "past": lambda _: Response(line_of(note, -3600, log)),
        "ours": lambda _: Response(note.split(b"\n\n")[1]),
        "server error": lambda _: Response("oops", 500),
        "redirect": lambda _: RedirectResponse("http://127.0.0.1:9/"),
        "size is no number": lambda _: size_answer("many\n"),
        "size is negative": lambda _: size_answer("-1\n"),
        "size is endless": lambda _: size_answer("9" * 4000),
        "always stale": lambda _: size_answer("1\n"),
        "ahead": lambda _: size_answer("99\n"),
        "this very size": lambda _: size_answer(f"{size}\n"),
        "control characters": lambda _: Response("a\x1b\nb", 500),
    }
    hostile = Hostile(replies[case])
    with serving(hostile) as url:
        ours = witnessing_of(log, [Party("W", WITNESS_KEY, url)])
        with pytest.raises(WitnessFailed, match=why):
            ours.run()
        assert hostile.asked <= 2
        with pytest.raises(WitnessFailed, match=why):
            ours.run()
    assert error_of(log)
    assert not (log.directory / "witness").exists()
    assert not (log.directory / published.COSIGNED).exists()


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("how", list(Failure))
def test_a_store_that_fails_loses_nothing(
    log: Log, store_url: str, request: pytest.FixtureRequest, how: Failure, nth: int
) -> None:
    other_log: Log = request.getfixturevalue("other")
    size = grow(log)
    database = FailingDatabase(store_url)
    with serving(application(other_log, witness_of(other_log))) as url:
        ours = witnessing_of(log, [Party("W", WITNESS_KEY, f"{url}/witness")], database=database)
        database.arm(nth, how)
        with pytest.raises(Unavailable):
            ours.run()
        ours.run()
    assert cosigned(log.directory) == cosigned(log.mirror) == size
    with log.database.read() as session:
        assert all(row.shown_at for row in session.exec(select(KeptCosignature)))
    database.close()


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("how", list(Failure))
def test_a_disk_that_fails_loses_nothing(
    sqlite_log: Log, request: pytest.FixtureRequest, how: Failure, nth: int
) -> None:
    log, other_log = sqlite_log, request.getfixturevalue("other")
    size = grow(log)
    with serving(application(other_log, witness_of(other_log))) as url:
        parties = [Party("W", WITNESS_KEY, f"{url}/witness")]
        with pytest.raises(StorageFailed, match="no space"):
            witnessing_of(log, parties, writer=FailingWriter(nth, how)).run()
        witnessing_of(log, parties).run()
    assert cosigned(log.directory) == cosigned(log.mirror) == size
    assert published.witnessed(log.directory) == published.witnessed(log.mirror)


def test_two_runs_at_once_keep_one_cosignature(log: Log, request: pytest.FixtureRequest) -> None:
    """The job and a person who does not want to wait."""
    other_log: Log = request.getfixturevalue("other")
    size = grow(log)
    failed: list[TrustError] = []
    with serving(application(other_log, witness_of(other_log))) as url:

        def run() -> None:
            try:
                witnessing_of(log, [Party("W", WITNESS_KEY, f"{url}/witness")]).run()
            except TrustError as error:
                failed.append(error)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert failed == []
    assert cosigned(log.directory) == size


def test_a_poster_bounds_what_it_reads() -> None:
    with serving(Hostile(lambda content: Response(content * 2, media_type="Text/Plain; charset=x"))) as url:
        answer = HttpPoster().post(url, b"ab", kind="text/plain", largest=4)
        assert answer == Answer(200, "text/plain", b"abab")
        with pytest.raises(WitnessFailed, match="larger than 3"):
            HttpPoster().post(url, b"ab", kind="text/plain", largest=3)
    for wrong in ("http://127.0.0.1:9/", "ftp://example/", "http://[", "nonsense"):
        with pytest.raises(WitnessFailed, match="does not answer"):
            HttpPoster().post(wrong, b"", kind="text/plain", largest=1)


def test_a_bundle_carries_the_cosignatures(log: Log, friends: Friends, tmp_path: Path) -> None:
    grow(log)
    ours = witnessing_of(log, friends.parties)
    ours.run()
    log.append(1, kind=BUNDLE_EXPORTED)
    log.sequencer().run_once()
    ours.run()
    grow(log)
    ours.run()
    place = LedgerPlace(log.directory, LOG_KEY)
    with (tmp_path / "evidence.zip").open("wb") as out:
        bundle.write_bundle(place, 4, out)
    members = read(tmp_path / "evidence.zip")
    notes = {name: content for name, content in members.items() if name.startswith("witness/")}
    assert sorted(notes) == ["witness/3", "witness/4"], "nothing that was said of a later log"
    assert all(ours.policy.verify(note) == [b"W0", b"W1", b"W2"] for note in notes.values())
    assert failures(verify(tmp_path / "evidence.zip", place.fingerprint)) == {}
