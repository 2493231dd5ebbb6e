"""Make a recovery point: record the intention, write it beside, read it back, show it, record the outcome.

1. The intention is committed. 2. The store is cut, then token and configuration are copied. 3. Everything is encrypted
into one file beside its place, flushed, and read back. 4. The file gets its name. 5. The outcome is committed, with the
hash of the file: only this record makes it a sealed point. That it can be restored is for a drill to prove.
"""

import importlib.metadata
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlmodel import Session, col, select

from backup import archive, cut, events, identity, manifest, site
from backup.cut import Cut
from backup.errors import PointFailed
from backup.manifest import Manifest
from backup.models import PointState, RecoveryPoint
from backup.repository import Repository
from backup.settings import BackupSettings
from core import durable
from core.clock import Clock, to_rfc3339
from core.database import Database
from core.errors import TrustError
from core.ledger import evidence
from core.ledger.checkpoint import VerifierKey
from hsm import inventory

#: How a finished file gets its name.
Show = Callable[[Path, Path], None]


def show(unfinished: Path, target: Path) -> None:
    """Rename durably."""
    unfinished.replace(target)
    durable.sync_folder(target.parent)


class Backup:
    """Makes recovery points; takes the database, because the intention is committed before anything is written."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: BackupSettings,
        show: Show = show,
    ) -> None:
        """Points go to ``settings.repository``, encrypted to ``settings.recipients``."""
        self.repository = Repository(settings.repository)
        self._database = database
        self._clock = clock
        self._random = random
        self._settings = settings
        self._show = show

    def make(self, *, actor: str) -> RecoveryPoint:
        """Make a point and return its sealed row.

        Raises ``PointUnderWay``; ``PointFailed`` or ``Damaged``, recorded with their cause; ``Unavailable``.
        """
        with ExitStack() as stack:
            stack.enter_context(self.repository.locked())
            # Whoever holds the lock is alone: a point that was begun and has no outcome belongs to a crash.
            self._give_up_crashed()
            point = self._begin(actor)
            # A crash here leaves a point that was begun and has no file: the next run gives it up.
            stack.callback(self._clear, point.id)
            try:
                self._write(point)
            except (TrustError, OSError) as error:
                self._fail(point, error)
                raise self._told(error) from error
            # A crash here leaves a whole file that no record calls sealed: it is not restored, the next run removes it.
            self._conclude(point)
            # A crash here leaves a sealed point nobody was told of, and the plain copy: the next run removes that.
            return point

    def _give_up_crashed(self) -> None:
        with self._database.write() as session:
            for point in session.exec(select(RecoveryPoint).where(RecoveryPoint.state == PointState.BEGUN.value)):
                self._end(session, point, PointState.FAILED, cause="given up: it was begun and has no outcome")
        with self._database.read() as session:
            failed = session.exec(select(RecoveryPoint.id).where(RecoveryPoint.state == PointState.FAILED.value)).all()
        for identifier in failed:
            self.repository.point(identifier).unlink(missing_ok=True)
            self._clear(identifier)
        # One that ended between its seal and its clearing has left the plain copy, too.
        every = self._staging("*")
        for left in every.parent.glob(every.name):
            shutil.rmtree(left)

    def _begin(self, actor: str) -> RecoveryPoint:
        at = self._clock.now()
        identifier = f"{at:%Y%m%dT%H%M%SZ}-{self._random(4).hex()}"
        point = RecoveryPoint(id=identifier, state=PointState.BEGUN.value, actor=actor, at=at)
        with self._database.write() as session:
            session.add(point)
            evidence.append(session, events.begun(point), at=at)
        return point

    def _write(self, point: RecoveryPoint) -> None:
        recipients = identity.parse_recipients(self._settings.recipients)
        staging = self._staging(point.id)
        staging.mkdir(parents=True, mode=0o700)
        # 1. The store first, then the token: it must hold every key that the store names.
        taken = cut.take(self._database, staging)
        paths = [cut.FILES[taken.kind], *site.copy(self._settings.state, staging)]
        described = self._describe(point, taken, staging, paths)
        (staging / manifest.NAME).write_bytes(manifest.encode(described))
        # 2. One encrypted file under another name.
        unfinished, target = self.repository.unfinished(point.id), self.repository.point(point.id)
        sha256, size = archive.seal(staging, [manifest.NAME, *paths], recipients, unfinished)
        # A crash here leaves a file that is never looked at: the next run removes it.
        # 3. Read back what the disk holds; nobody here could decrypt it.
        if archive.hash_file(unfinished) != sha256:
            raise PointFailed(f"`{unfinished}` reads back otherwise than it was written", hint="the disk is faulty")
        self._show(unfinished, target)
        point.sha256, point.size = sha256, size
        point.ledger_size, point.ledger_root = taken.ledger.size, taken.ledger.root

    def _describe(self, point: RecoveryPoint, taken: Cut, staging: Path, paths: Sequence[str]) -> Manifest:
        known = inventory.read(staging / "keys.json").get(self._settings.checkpoint_key)
        if known is None:
            raise PointFailed(f"the token has no key `{self._settings.checkpoint_key}`", hint="see `guosuo doctor`")
        key = VerifierKey(self._settings.origin, known.info.spki[-32:])
        cut.check_signed(taken.ledger, key)
        return Manifest(
            format=1,
            id=point.id,
            at=to_rfc3339(point.at),
            product=_version(),
            key=str(key),
            state=str(self._settings.state.resolve()),
            store=taken.kind,
            counts=taken.counts,
            ledger=taken.ledger,
            members=tuple(archive.describe(staging / path, path) for path in paths),
        )

    def _conclude(self, point: RecoveryPoint) -> None:
        with self._database.write() as session:
            self._end(session, point, PointState.SEALED)

    def _fail(self, point: RecoveryPoint, error: Exception) -> None:
        self.repository.point(point.id).unlink(missing_ok=True)
        told = self._told(error)
        with self._database.write() as session:
            self._end(session, point, PointState.FAILED, cause=told.detail[:400])

    def _end(self, session: Session, point: RecoveryPoint, state: PointState, *, cause: str = "") -> None:
        at = self._clock.now()
        row = session.get_one(RecoveryPoint, point.id, with_for_update=True)
        row.sqlmodel_update(point.model_dump(include={"sha256", "size", "ledger_size", "ledger_root"}))
        row.state, row.ended_at, row.cause = state.value, at, cause
        made = events.sealed(row) if state is PointState.SEALED else events.failed(row)
        row.record = evidence.append(session, made, at=at)
        session.add(row)
        point.sqlmodel_update(row.model_dump())

    def _told(self, error: Exception) -> TrustError:
        if isinstance(error, TrustError):
            return error
        assert isinstance(error, OSError)
        return PointFailed(f"`{error.filename or self.repository.path}`: {error.strerror}", hint="see `guosuo doctor`")

    def _staging(self, identifier: str) -> Path:
        return self._settings.state / "run" / f"point-{identifier}"

    def _clear(self, identifier: str) -> None:
        """Remove what only served the making."""
        shutil.rmtree(self._staging(identifier), ignore_errors=True)
        self.repository.unfinished(identifier).unlink(missing_ok=True)


def points(session: Session) -> Sequence[RecoveryPoint]:
    """Return every point, the newest first."""
    return session.exec(select(RecoveryPoint).order_by(col(RecoveryPoint.at).desc())).all()


def _version() -> str:
    try:
        return importlib.metadata.version("guosuo")
    except importlib.metadata.PackageNotFoundError:
        return "source tree"
