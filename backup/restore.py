"""Restore the files and the store of a point into a fresh place; nothing in it may be served before it is reconciled.

Two marker files say how far it came: ``INCOMPLETE`` from the first moment until every file was held against the
manifest, ``UNRECONCILED`` from then on until the mirrored evidence was brought in. The service refuses both.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, exc, inspect

from backup import archive, cut, postgres
from backup.errors import Damaged, NoSuchPoint, NotEmpty
from backup.events import POINT_SEALED, object_of
from backup.identity import load_identity
from backup.manifest import Manifest
from backup.mirror import Mirror, Record, parse_record
from backup.repository import IDENTIFIER, Repository
from core import durable
from core.database import Database
from core.errors import Malformed, Unavailable
from core.ledger.checkpoint import parse_verifier_key

INCOMPLETE, UNRECONCILED = "INCOMPLETE", "UNRECONCILED"

_SEALED = f'"{POINT_SEALED}"'.encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A point as the evidence knows it: its file's hash, and the number of the record that says so."""

    id: str
    sha256: str
    sequence: int
    ledger_size: int


def sealed_points(mirror: Mirror) -> list[Sealed]:
    """Return the points that the mirrored evidence calls sealed, the oldest first."""
    # Most records are something else: look before parsing, and look again after.
    found = [parse_record(number, content) for number, content in enumerate(mirror.entries()) if _SEALED in content]
    return [_sealed(record) for record in found if record.type == POINT_SEALED]


def choose(repository: Repository, mirror: Mirror, identifier: str) -> Sealed:
    """Return the point that was asked for, the newest sealed one for an empty name. Raises ``NoSuchPoint``."""
    known = {point.id: point for point in sealed_points(mirror)}
    if not known:
        raise NoSuchPoint(f"`{repository.path}` holds no sealed recovery point", hint="is it the right repository?")
    wanted = identifier or next(reversed(known))
    if wanted not in known or not IDENTIFIER.fullmatch(wanted):
        raise NoSuchPoint(f"no recovery point `{identifier[:80]}` was sealed", hint=f"known: {', '.join(known)}"[:400])
    return known[wanted]


def check_file(repository: Repository, sealed: Sealed) -> None:
    """Hold the file of a point against the evidence. Raises ``Damaged`` when it is gone or another one."""
    file = repository.point(sealed.id)
    others = [name for name in repository.identifiers() if name != sealed.id]
    hint = f"another point can be named: {', '.join(others)}"[:400] if others else "there is no other point"
    if not file.exists():
        raise Damaged(f"`{file}` is missing; the evidence says that it was sealed", hint=hint)
    if archive.hash_file(file) != sealed.sha256:
        raise Damaged(f"`{file}` is not the file that was sealed: it was changed or cut short", hint=hint)


@contextmanager
def fresh(into: Path) -> Iterator[None]:
    """Hold ``into`` as a new folder, marked incomplete; whatever was put there goes again when the block raises.

    Raises ``NotEmpty`` and touches nothing when something is there.
    """
    existed = into.is_dir()
    if into.exists() and (not existed or any(into.iterdir())):
        raise NotEmpty(f"`{into}` is not an empty folder", hint="restore into a folder of its own")
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    into.chmod(0o700)
    durable.write(into / INCOMPLETE, b"this state is being restored; it must not be served\n")
    # A crash here, or anywhere in the block, leaves a marked folder that the service refuses.
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            _empty(into)
            if not existed:
                into.rmdir()


def files(*, repository: Repository, sealed: Sealed, mirror: Mirror, identity: Path, into: Path) -> Manifest:
    """Unpack ``sealed`` into ``into``, and hold it against the evidence. Raises what is wrong, naming the file."""
    check_file(repository, sealed)
    file = repository.point(sealed.id)
    found = archive.unpack(file, load_identity(identity), into)
    if found.id != sealed.id or found.ledger.size != sealed.ledger_size:
        raise Damaged(f"`{file}` holds the point `{found.id}`, not the one that was sealed")
    key = parse_verifier_key(found.key)
    cut.check_signed(found.ledger, key)
    mirror.verify(key)
    if cut.FILES[found.store] not in {member.path for member in found.members}:
        raise Damaged(f"`{file}` holds no store")
    for folder in (into, *(path for path in into.rglob("*") if path.is_dir())):
        durable.sync_folder(folder)
    return found


def store(found: Manifest, into: Path, url: str) -> str:
    """Bring the store of a point to life and return its URL; a PostgreSQL store goes into the empty database ``url``.

    Raises ``Malformed``, ``NotEmpty``, ``StoreProgramFailed``, and ``Damaged`` when it does not hold what it should.
    """
    file = into / cut.FILES[found.store]
    if found.store == cut.SQLITE:
        if url:
            raise Malformed("this point holds a SQLite store; it comes back as a file", hint="leave out --store")
        url = f"sqlite:///{file.resolve()}"
    else:
        _load_postgresql(file, url)
    with closing(Database(url)) as database, database.engine.connect() as connection:
        counts, ledger = cut.measure(connection)
    if counts != dict(found.counts) or ledger != found.ledger:
        differs = sorted(name for name in {*counts, *found.counts} if counts.get(name) != found.counts.get(name))
        raise Damaged(f"the restored store is not what the manifest says: {', '.join(differs) or 'the evidence'}")
    return url


def mark_unreconciled(into: Path) -> None:
    """Say that the files are whole and the evidence is still to come."""
    durable.write(into / UNRECONCILED, b"this state was not reconciled with the evidence; it must not be served\n")
    # A crash here leaves both markers: the folder is refused all the same.
    (into / INCOMPLETE).unlink()
    durable.sync_folder(into)


def mark_ready(into: Path) -> None:
    """Say that the state may be served."""
    (into / UNRECONCILED).unlink()
    durable.sync_folder(into)


def _load_postgresql(file: Path, url: str) -> None:
    if not url.startswith("postgresql"):
        raise Malformed("this point holds a PostgreSQL store", hint="name an empty database with --store URL")
    try:
        engine = create_engine(url)
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
        engine.dispose()
    except exc.SQLAlchemyError as error:
        raise Unavailable(f"the database to restore into does not answer: {_short(error)}") from error
    if tables:
        raise NotEmpty(f"the database to restore into holds {len(tables)} tables", hint="name an empty database")
    options = ("--exit-on-error", "--no-owner", "--no-privileges", "--single-transaction")
    postgres.run("pg_restore", *options, f"--dbname={postgres.plain_url(url)}", str(file))
    # A crash here leaves a filled database and a marked folder: empty the database and restore again.
    file.unlink()


def _sealed(record: Record) -> Sealed:
    identifier = record.object.removeprefix(object_of(""))
    sha256, size = record.details.get("sha256"), record.details.get("ledger_size")
    if not isinstance(sha256, str) or not isinstance(size, int):
        raise Damaged(f"record {record.sequence} of the mirrored evidence does not say what was sealed")
    return Sealed(identifier, sha256, record.sequence, size)


def _short(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0][:200]


def _empty(folder: Path) -> None:
    # The marker goes last: a crash in between leaves a folder that is still refused.
    for path in sorted(folder.iterdir(), key=lambda path: path.name == INCOMPLETE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            os.unlink(path)
