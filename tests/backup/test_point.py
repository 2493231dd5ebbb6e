"""Making a point: whole or failed, never in between; every durable step is broken in two ways."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from backup import archive, run
from backup.errors import PointFailed, PointUnderWay
from backup.identity import load_identity
from backup.mirror import Mirror
from backup.models import RecoveryPoint
from backup.restore import sealed_points
from core.database import Database
from core.errors import Unavailable
from core.ledger.models import EvidenceRow
from tests.backup.realm import Realm, unguard


class Crash(BaseException):
    """The process ends here; nothing of ours catches it."""


def states(realm: Realm) -> list[str]:
    with realm.database.read() as session:
        return [point.state for point in reversed(run.points(session))]


def events(realm: Realm) -> list[str]:
    with realm.database.read() as session:
        found = session.exec(select(EvidenceRow).order_by(EvidenceRow.row)).all()  # type: ignore[arg-type]
        return [row.type.removeprefix("backup.point.") for row in found if row.type.startswith("backup.")]


def files(realm: Realm) -> list[str]:
    return sorted(path.name for path in realm.repository.points.iterdir())


def assert_tidy(realm: Realm) -> None:
    assert not list((realm.state / "run").glob("point-*"))
    assert not [name for name in files(realm) if name.startswith(".")]


def test_a_point_is_sealed_recorded_and_holds_the_whole_site(realm: Realm, tmp_path: Path, kind: str) -> None:
    realm.issue()
    made = realm.point()
    assert (made.state, made.size > 10_000, made.ledger_size) == ("sealed", True, 0)
    assert states(realm) == ["sealed"]
    assert events(realm) == ["begun", "sealed"]
    assert files(realm) == [f"{made.id}.age"]
    assert_tidy(realm)
    found = archive.unpack(realm.repository.point(made.id), load_identity(realm.identity), tmp_path / "out")
    paths = {member.path for member in found.members}
    expected = {"keys.json", "softhsm2.conf", "secrets/user.pin", "secrets/so.pin", "guosuo.toml", "trust.pem"}
    assert expected | {"service.pem", "apps/budget.yaml"} <= paths
    assert ("store.sqlite3" if kind == "sqlite" else "store.dump") in paths
    assert any(path.startswith("tokens/") for path in paths)
    assert any(path.startswith("token-copy/") for path in paths)
    assert not any(path.startswith(("run/", "log/", "ledger/")) or path.endswith((".lock", "-wal")) for path in paths)
    assert found.counts["credential"] == 2
    assert found.ledger.unnumbered > 80
    [known] = sealed_points(Mirror(realm.repository.evidence))
    assert (known.id, known.sha256) == (made.id, made.sha256)


def test_the_cut_is_one_moment_while_others_write(realm: Realm, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            realm.issue()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        realm.sequence()
        made = realm.point()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    found = archive.unpack(realm.repository.point(made.id), load_identity(realm.identity), tmp_path / "out")
    counts = found.counts
    # Whatever transaction was cut, both halves of it are there or neither.
    assert counts["credential"] == counts["certificate"]
    assert counts["evidence"] == found.ledger.size + found.ledger.unnumbered
    assert found.ledger.size > 80


def test_two_at_once(sqlite_realm: Realm) -> None:
    with sqlite_realm.repository.locked(), pytest.raises(PointUnderWay, match="is being made"):
        sqlite_realm.backup().make(actor="tang-recovery")
    assert states(sqlite_realm) == []
    assert sqlite_realm.point().state == "sealed"


def test_many_at_once_leave_only_whole_points(sqlite_realm: Realm) -> None:
    done: list[str] = []

    def make() -> None:
        try:
            done.append(sqlite_realm.backup().make(actor="tang-recovery").state)
        except PointUnderWay:
            done.append("refused")

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(done) <= {"sealed", "refused"}
    assert done.count("sealed") == len(files(sqlite_realm)) >= 1
    assert set(states(sqlite_realm)) == {"sealed"}


def test_a_wrong_recipient_fails_and_is_recorded(sqlite_realm: Realm) -> None:
    wrong = sqlite_realm.backup_settings.model_copy(update={"recipients": ("age1nobody",)})
    sqlite_realm.backup_settings = wrong
    with pytest.raises(Exception, match="`age1nobody` is no recipient"):
        sqlite_realm.backup().make(actor="tang-recovery")
    assert states(sqlite_realm) == ["failed"]
    assert events(sqlite_realm) == ["begun", "failed"]
    assert files(sqlite_realm) == []
    assert_tidy(sqlite_realm)


def test_evidence_that_was_changed_is_no_ground_for_a_point(realm: Realm) -> None:
    realm.sequence()
    with realm.database.write() as session:
        unguard(session)
        session.execute(text("UPDATE evidence SET content = :c WHERE sequence = 3"), {"c": b'{"v":1}'})
    with pytest.raises(Exception, match="are not those that were signed"):
        realm.backup().make(actor="tang-recovery")
    assert states(realm) == ["failed"]
    with realm.database.read() as session:
        assert "not those that were signed" in run.points(session)[0].cause


def refuse_show(unfinished: Path, target: Path) -> None:
    raise OSError(28, "No space left on device", str(target))


def show_and_refuse(unfinished: Path, target: Path) -> None:
    run.show(unfinished, target)
    raise OSError(5, "Input/output error", str(target))


def crash_before(unfinished: Path, target: Path) -> None:
    raise Crash


def crash_after(unfinished: Path, target: Path) -> None:
    run.show(unfinished, target)
    raise Crash


@pytest.mark.parametrize("show", [refuse_show, show_and_refuse])
def test_a_file_that_cannot_be_shown_leaves_a_failed_point_and_no_file(sqlite_realm: Realm, show: run.Show) -> None:
    with pytest.raises(PointFailed, match=r"\.age"):
        sqlite_realm.backup(show=show).make(actor="tang-recovery")
    assert states(sqlite_realm) == ["failed"]
    assert files(sqlite_realm) == []
    assert_tidy(sqlite_realm)


@pytest.mark.parametrize("show", [crash_before, crash_after])
def test_a_crash_around_the_showing_is_given_up_by_the_next_run(sqlite_realm: Realm, show: run.Show) -> None:
    with pytest.raises(Crash):
        sqlite_realm.backup(show=show).make(actor="tang-recovery")
    assert states(sqlite_realm) == ["begun"]
    sqlite_realm.sequence()
    assert sealed_points(Mirror(sqlite_realm.repository.evidence)) == []
    made = sqlite_realm.point()
    assert states(sqlite_realm) == ["failed", "sealed"]
    assert files(sqlite_realm) == [f"{made.id}.age"]
    assert events(sqlite_realm) == ["begun", "failed", "begun", "sealed"]
    assert_tidy(sqlite_realm)


def test_what_a_kill_leaves_behind_is_removed(sqlite_realm: Realm) -> None:
    with pytest.raises(Crash):
        sqlite_realm.backup(show=crash_before).make(actor="tang-recovery")
    with sqlite_realm.database.read() as session:
        [left] = run.points(session)
    staging = sqlite_realm.state / "run" / f"point-{left.id}"
    staging.mkdir(mode=0o700)
    (staging / "store.sqlite3").write_bytes(b"half")
    sqlite_realm.repository.unfinished(left.id).write_bytes(b"half")
    sqlite_realm.point()
    assert_tidy(sqlite_realm)


def test_an_outcome_that_is_not_committed_seals_nothing(realm: Realm, kind: str) -> None:
    with refusing_record(realm, kind, "backup.point.sealed"), pytest.raises(Exception, match="refused by the test"):
        realm.backup().make(actor="tang-recovery")
    assert states(realm) == ["begun"]
    assert len(files(realm)) == 1
    realm.sequence()
    assert sealed_points(Mirror(realm.repository.evidence)) == []
    realm.point()
    assert states(realm) == ["failed", "sealed"]
    assert len(files(realm)) == 1


def test_an_intention_that_is_not_committed_writes_nothing(realm: Realm, kind: str) -> None:
    with refusing_record(realm, kind, "backup.point.begun"), pytest.raises(Exception, match="refused by the test"):
        realm.backup().make(actor="tang-recovery")
    assert states(realm) == []
    assert files(realm) == []


class LostAnswer(Database):
    """Commits, and then says that it failed: from the ``after``-th write on."""

    after = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
        self.after -= 1
        if self.after < 0:
            raise Unavailable("the store does not answer: the connection was lost")


def test_an_outcome_whose_commit_was_applied_but_not_told_is_sealed(realm: Realm) -> None:
    database = LostAnswer(realm.database.url)
    database.after = 2
    plain, realm.database = realm.database, database
    with pytest.raises(Unavailable, match="connection was lost"):
        realm.backup().make(actor="tang-recovery")
    database.close()
    realm.database = plain
    realm.sequence()
    assert states(realm) == ["sealed"]
    [known] = sealed_points(Mirror(realm.repository.evidence))
    assert archive.hash_file(realm.repository.point(known.id)) == known.sha256


@contextmanager
def refusing_record(realm: Realm, kind: str, word: str) -> Iterator[None]:
    """Let the store itself refuse one kind of record (by a trigger)."""
    if kind == "sqlite":
        made = (
            (
                f"CREATE TRIGGER refuse BEFORE INSERT ON evidence WHEN NEW.type = '{word}' "
                "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
            ),
        )
        ended = ("DROP TRIGGER refuse",)
    else:
        made = (
            (
                "CREATE FUNCTION refuse() RETURNS trigger AS "
                f"$$ BEGIN IF NEW.type = '{word}' THEN RAISE 'refused by the test'; END IF; RETURN NEW; END $$ "
                "LANGUAGE plpgsql"
            ),
            "CREATE TRIGGER refuse BEFORE INSERT ON evidence FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        ended = ("DROP TRIGGER refuse ON evidence", "DROP FUNCTION refuse")
    for statements, act in ((made, True), (ended, False)):
        with realm.database.write() as session:
            for statement in statements:
                session.execute(text(statement))
        if act:
            yield


def test_the_page_copy_is_one_file_without_a_log_beside_it(sqlite_realm: Realm, tmp_path: Path) -> None:
    made = sqlite_realm.point()
    archive.unpack(sqlite_realm.repository.point(made.id), load_identity(sqlite_realm.identity), tmp_path / "out")
    connection = sqlite3.connect(tmp_path / "out" / "store.sqlite3")
    [(mode,)] = connection.execute("PRAGMA journal_mode")
    [(point,)] = connection.execute("SELECT state FROM recovery_point")
    connection.close()
    assert (mode, point) == ("delete", "begun")


def test_rows_are_never_lost_from_view(sqlite_realm: Realm) -> None:
    sqlite_realm.point()
    sqlite_realm.point()
    with sqlite_realm.database.read() as session:
        assert len(session.exec(select(RecoveryPoint)).all()) == 2
