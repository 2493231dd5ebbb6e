"""Restoring: what comes back is what was there, and whatever is wrong leaves nothing that could be served."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest
from pyrage import x25519
from sqlalchemy import MetaData, create_engine, select

from backup import restore
from backup.errors import Damaged, NoSuchPoint, NotEmpty, WrongIdentity
from backup.identity import make_identity
from backup.mirror import Mirror
from backup.repository import Repository
from core.errors import Malformed, NotFound, TrustError
from deploy import recovery
from deploy import settings as site_settings
from tests.backup.conftest import NewStore
from tests.backup.realm import Realm

Change = Callable[[Repository], None]


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table."""
    engine = create_engine(url)
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return found


def test_every_row_and_every_file_comes_back(realm: Realm, new_store: NewStore, tmp_path: Path) -> None:
    realm.issue()
    made = realm.point()
    before = content(realm.database.url)
    told = recovery.restore(
        repository=realm.repository.path,
        identity=realm.identity,
        point=made.id,
        into=tmp_path / "new",
        store=new_store(),
    )
    assert told["point"] == made.id
    state = tmp_path / "new"
    settings = site_settings.load(state, {})
    after = content(settings.site.store)
    # The lists are taken out of use and numbers jump, leases ended, and the reconciliation itself is on record.
    for table in ("crl_publication", "ledger_lease"):
        assert before.pop(table) != after.pop(table)
    assert len(after.pop("evidence")) == len(before.pop("evidence")) + 1
    assert [row[:3] for row in after.pop("ledger_checkpoint")] == [row[:3] for row in before.pop("ledger_checkpoint")]
    # Records know milliseconds, the store microseconds: what was rebuilt from a record is that much coarser.
    [was], [now] = before.pop("recovery_point"), after.pop("recovery_point")
    assert sum(one != other for one, other in zip(was, now, strict=True)) <= 1
    assert after == before
    for path in ("keys.json", "secrets/user.pin", "secrets/so.pin", "trust.pem", "service.pem", "apps/budget.yaml"):
        assert (state / path).read_bytes() == (realm.state / path).read_bytes(), path
        assert (state / path).stat().st_mode & 0o777 == (realm.state / path).stat().st_mode & 0o777, path
    assert state.stat().st_mode & 0o777 == 0o700
    assert not any((state / marker).exists() for marker in ("INCOMPLETE", "UNRECONCILED"))
    assert settings.repository.path == realm.repository.path.resolve()
    assert (state / "softhsm2.conf").read_text().splitlines()[0] == f"directories.tokendir = {state}/tokens"
    assert not list(state.glob("store.dump"))


def test_the_newest_point_is_taken_when_none_is_named(sqlite_realm: Realm, tmp_path: Path) -> None:
    first, second = sqlite_realm.point(), sqlite_realm.point()
    told = bring_back(sqlite_realm.repository, sqlite_realm, tmp_path / "a")
    assert told["point"] == second.id
    told = bring_back(sqlite_realm.repository, sqlite_realm, tmp_path / "b", point=first.id)
    assert told["point"] == first.id


def test_a_newest_point_that_is_gone_is_named_and_not_passed_over(sqlite_realm: Realm, tmp_path: Path) -> None:
    first, second = sqlite_realm.point(), sqlite_realm.point()
    sqlite_realm.repository.point(second.id).unlink()
    with pytest.raises(Damaged, match=f"{second.id}.age` is missing") as raised:
        bring_back(sqlite_realm.repository, sqlite_realm, tmp_path / "new")
    assert first.id in raised.value.hint
    assert bring_back(sqlite_realm.repository, sqlite_realm, tmp_path / "new", point=first.id)["point"] == first.id


def bring_back(repository: Repository, realm: Realm, into: Path, *, point: str = "") -> dict[str, object]:
    return dict(recovery.restore(repository=repository.path, identity=realm.identity, point=point, into=into))


def only(repository: Repository) -> Path:
    [file] = repository.points.glob("*.age")
    return file


def bundle(repository: Repository) -> Path:
    return Mirror(repository.evidence).bundle(0)


def flip(path: Path, place: int) -> None:
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def other_point(repository: Repository) -> None:
    only(repository).write_bytes(pyrage.encrypt(b"something else", [x25519.Identity.generate().to_public()]))


def roll_back(repository: Repository, *, to: int) -> None:
    """Roll the mirror back to an earlier checkpoint of its own."""
    mirror = Mirror(repository.evidence)
    keep = mirror.notes[to]
    for note in mirror.notes[to + 1 :]:
        (repository.evidence / "checkpoints" / str(note.size)).unlink()
    (repository.evidence / "checkpoint").write_bytes(keep.content)


def forget_newest(repository: Repository) -> None:
    newest = Mirror(repository.evidence).notes[-1]
    (repository.evidence / "checkpoints" / str(newest.size)).unlink()


def write_note(repository: Repository) -> None:
    newest = Mirror(repository.evidence).notes[-1].content.replace(b"sample\n", b"other\n", 1)
    path = repository.evidence / "checkpoint"
    path.write_bytes(newest)
    (path.parent / "checkpoints" / path.read_text().splitlines()[1]).write_bytes(newest)


DAMAGE: dict[str, tuple[Change, str]] = {
    "a flipped octet": (lambda place: flip(only(place), 5_000), r"\.age` is not the file that was sealed"),
    "a flipped octet at the end": (lambda place: flip(only(place), -1), r"\.age` is not the file that was sealed"),
    "a cut tail": (lambda place: truncate(only(place)), r"\.age` is not the file that was sealed"),
    "an emptied file": (lambda place: only(place).write_bytes(b""), r"\.age` is not the file that was sealed"),
    "another file": (other_point, r"\.age` is not the file that was sealed"),
    "no file": (lambda place: only(place).unlink(), r"\.age` is missing"),
    "no evidence": (lambda place: shutil.rmtree(place.evidence), "holds no sealed recovery point"),
    "an older mirror": (lambda place: roll_back(place, to=0), "holds no sealed recovery point"),
    "a forgotten checkpoint": (forget_newest, "is not in the history"),
    "a note of another log": (write_note, "belongs to another log"),
    "no checkpoint": (lambda place: (place.evidence / "checkpoint").unlink(), "shows no checkpoint"),
    "a checkpoint of noise": (lambda place: (place.evidence / "checkpoint").write_bytes(b"noise"), "is no checkpoint"),
    "a record changed": (lambda place: flip(bundle(place), 40), "are not those that were signed"),
    "a bundle cut": (lambda place: truncate(bundle(place)), "cannot be read"),
    "a bundle gone": (lambda place: bundle(place).unlink(), "cannot be read"),
}


@pytest.fixture
def copy(lasting: Realm, tmp_path: Path) -> Iterator[Repository]:
    shutil.copytree(lasting.repository.path, tmp_path / "copy")
    return Repository(tmp_path / "copy")


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_nothing_is_left(name: str, lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    change, message = DAMAGE[name]
    change(copy)
    with pytest.raises(TrustError, match=message) as raised:
        bring_back(copy, lasting, tmp_path / "new")
    assert isinstance(raised.value, Damaged | NoSuchPoint)
    assert not (tmp_path / "new").exists()


def test_the_copy_itself_is_good(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    assert bring_back(copy, lasting, tmp_path / "new")["records"]


def test_another_identity(lasting: Realm, tmp_path: Path) -> None:
    make_identity(tmp_path / "other.age")
    with pytest.raises(WrongIdentity, match="was not encrypted to this recovery identity"):
        recovery.restore(
            repository=lasting.repository.path, identity=tmp_path / "other.age", point="", into=tmp_path / "new"
        )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("point", ["20260101T000000Z-00000000", "../../etc/passwd", "x" * 5000, "-", "*"])
def test_an_unknown_point(lasting: Realm, tmp_path: Path, point: str) -> None:
    with pytest.raises(NoSuchPoint, match="was sealed"):
        bring_back(lasting.repository, lasting, tmp_path / "new", point=point)
    assert not (tmp_path / "new").exists()


def test_no_repository_and_no_identity(lasting: Realm, tmp_path: Path) -> None:
    with pytest.raises(NoSuchPoint, match="holds no sealed recovery point"):
        bring_back(Repository(tmp_path / "nowhere"), lasting, tmp_path / "new")
    with pytest.raises(NotFound, match="there is no recovery identity"):
        recovery.restore(
            repository=lasting.repository.path, identity=tmp_path / "gone", point="", into=tmp_path / "new"
        )
    assert not (tmp_path / "new").exists()


def test_a_place_that_is_not_empty_is_not_touched(lasting: Realm, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir(mode=0o755)
    (tmp_path / "used" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for place in ("used", "file"):
        with pytest.raises(NotEmpty, match="is not an empty folder"):
            bring_back(lasting.repository, lasting, tmp_path / place)
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["mine"]
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_folder_that_was_there_stays_there_empty(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    flip(bundle(copy), 40)
    with pytest.raises(Damaged):
        bring_back(copy, lasting, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    assert bring_back(lasting.repository, lasting, tmp_path / "new")["records"]


def test_a_crash_on_the_way_leaves_a_state_that_is_not_served(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with restore.fresh(tmp_path / "new"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["INCOMPLETE"]
    with pytest.raises(NotEmpty), restore.fresh(tmp_path / "new"):
        pass
    restore.mark_unreconciled(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["UNRECONCILED"]
    restore.mark_ready(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_a_postgresql_store_needs_an_empty_database(realm: Realm, new_store: NewStore, tmp_path: Path) -> None:
    realm.point()
    for store, kind, message in (
        ("", Malformed, "holds a PostgreSQL store"),
        ("sqlite:///x", Malformed, "holds a PostgreSQL store"),
        (realm.database.url, NotEmpty, "holds [0-9]+ tables"),
        (new_store() + "x", Exception, "does not answer"),
    ):
        with pytest.raises(kind, match=message):
            recovery.restore(
                repository=realm.repository.path,
                identity=realm.identity,
                point="",
                into=tmp_path / "new",
                store=store,
            )
        assert not (tmp_path / "new").exists()


def test_a_sqlite_store_comes_back_as_a_file(lasting: Realm, tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="holds a SQLite store"):
        recovery.restore(
            repository=lasting.repository.path,
            identity=lasting.identity,
            point="",
            into=tmp_path / "new",
            store="postgresql+psycopg://nobody@/none",
        )
    assert not (tmp_path / "new").exists()


def test_a_witness_tells_that_the_mirror_was_rolled_back(lasting: Realm, copy: Repository, tmp_path: Path) -> None:
    notes = Mirror(copy.evidence).notes
    kept, between = tmp_path / "kept", tmp_path / "between"
    kept.write_bytes(notes[-1].content)
    between.write_bytes(notes[-2].content)
    options = {"repository": copy.path, "identity": lasting.identity, "point": ""}
    for number, witness in enumerate((kept, between)):
        recovery.restore(**options, into=tmp_path / f"good{number}", witness=witness)  # type: ignore[arg-type]
    roll_back(copy, to=len(notes) - 2)
    recovery.restore(**options, into=tmp_path / "rolled", witness=between)  # type: ignore[arg-type]
    with pytest.raises(Damaged, match="does not contain the checkpoint of size"):
        recovery.restore(**options, into=tmp_path / "new", witness=kept)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()
