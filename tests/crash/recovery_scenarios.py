"""Kills while a recovery point is made, and while one is restored: nothing unsealed counts, nothing revoked revives."""

import secrets
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from backup import restore, run
from backup.errors import NotEmpty
from backup.mirror import Mirror
from backup.models import RecoveryPoint
from backup.run import Backup
from backup.settings import BackupSettings
from core.clock import SystemClock
from core.database import Database
from core.errors import Conflict
from core.identity import Serial
from core.registry import credential
from core.registry.credential import CredentialState
from deploy import recovery, wiring
from deploy.settings import load
from deploy.supervisor import check_reconciled
from pki.models import Revocation
from tests.backup.realm import Realm
from tests.crash.fuse import Fuse
from tests.crash.invariant import check_records
from tests.crash.nursery import Child, Say
from tests.memory import MEMORY

#: Gives an empty database to restore into, or nothing for SQLite.
NewStore = Callable[[], str]
Strike = Callable[[Realm, NewStore, Fuse], None]


def make_point(url: str, settings: BackupSettings, _say: Say) -> None:
    """Be the service that makes a recovery point."""
    made = Backup(database=Database(url), clock=SystemClock(), random=secrets.token_bytes, settings=settings)
    made.make(actor="wu-recovery")


def bring_back(repository: Path, identity: Path, into: Path, store: str, _say: Say) -> None:
    """Be ``guosuo backup restore``."""
    recovery.restore(repository=repository, identity=identity, point="", into=into, store=store)


def kill_while_making(realm: Realm, _new: NewStore, fuse: Fuse) -> None:
    """The next run gives the point up; only what the evidence calls sealed can be chosen, before and after it."""
    before = _sealed(realm)
    child = Child(make_point, realm.database.url, realm.backup_settings, fuse=fuse)
    assert child.wait() == -signal.SIGKILL
    realm.sequence()
    whole = fuse.point.name.endswith("make#3")
    [left] = [point for point in _points(realm) if point.state == ("sealed" if whole else "begun")][:1]
    assert _sealed(realm) == ([*before, left.id] if whole else before)
    made = realm.point()
    states = {point.id: point.state for point in _points(realm)}
    assert states[left.id] == ("sealed" if whole else "failed")
    assert set(states.values()) <= {"sealed", "failed"}
    assert _sealed(realm) == [*before, *[left.id] * whole, made.id]
    assert {path.name for path in realm.repository.points.iterdir()} == {f"{one}.age" for one in _sealed(realm)}
    assert not list((realm.state / "run").glob("point-*"))
    restore.check_file(realm.repository, restore.choose(realm.repository, Mirror(realm.repository.evidence), ""))


def kill_while_restoring(realm: Realm, new: NewStore, fuse: Fuse) -> None:
    """The folder is refused by whoever serves and by whoever restores; a fresh one is restored in full."""
    with tempfile.TemporaryDirectory(prefix="gs-back-", dir=MEMORY) as folder:
        killed, fresh, store = Path(folder) / "killed", Path(folder) / "fresh", new()
        child = Child(bring_back, realm.repository.path, realm.identity, killed, store, fuse=fuse)
        assert child.wait() == -signal.SIGKILL
        with pytest.raises(Conflict, match="it may revive what was revoked"):
            check_reconciled(realm.settings.model_copy(update={"state": killed}))
        with pytest.raises(NotEmpty):
            _restore(realm, killed, new())
        if store and (killed / restore.UNRECONCILED).exists():
            with pytest.raises(NotEmpty, match="tables"):
                _restore(realm, Path(folder) / "again", store)
        _restore(realm, fresh, new())
        _check_restored(realm, fresh)


def _restore(realm: Realm, into: Path, store: str) -> None:
    recovery.restore(repository=realm.repository.path, identity=realm.identity, point="", into=into, store=store)


def _check_restored(realm: Realm, state: Path) -> None:
    settings = load(state, {})
    check_reconciled(settings)
    with realm.database.read() as session:
        revoked = set(session.exec(select(Revocation.serial)))
    assert revoked
    database = wiring.store(settings)
    with database.read() as session:
        check_records(session)
        assert set(session.exec(select(Revocation.serial))) == revoked
        for serial in revoked:
            assert credential.get(session, Serial(serial)).state == CredentialState.REVOKED
    database.close()


def _points(realm: Realm) -> list[RecoveryPoint]:
    """Return every point, the newest first."""
    with realm.database.read() as session:
        found = list(run.points(session))
        session.expunge_all()
    return found


def _sealed(realm: Realm) -> list[str]:
    return [one.id for one in restore.sealed_points(Mirror(realm.repository.evidence))]


RECOVERY_SCENARIOS: dict[str, Strike] = {
    "backup.reconcile._reconcile#1": kill_while_restoring,
    "backup.restore.fresh#1": kill_while_restoring,
    "backup.restore.mark_unreconciled#1": kill_while_restoring,
    "backup.restore._load_postgresql#1": kill_while_restoring,
    **{f"backup.run.Backup.make#{number}": kill_while_making for number in (1, 2, 3)},
    "backup.run.Backup._write#1": kill_while_making,
    **{f"deploy.recovery.come_back#{number}": kill_while_restoring for number in (1, 2)},
}

#: Points that only a site on PostgreSQL passes.
ON_POSTGRESQL = {"backup.restore._load_postgresql#1"}
