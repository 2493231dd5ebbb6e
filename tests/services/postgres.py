"""A real PostgreSQL on a unix socket, one per test worker, gone with it."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from deploy.bench import postgres


class Cluster(postgres.Cluster):
    """One that does not wait for the disk, with databases under names of their own."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, durable=False)

    def create(self, template: str = "template1") -> str:  # type: ignore[override]
        return super().create(f"t{secrets.token_hex(6)}", template)


def drop(url: str) -> None:
    """Drop a database that ``create`` made; whoever is still connected is thrown out."""
    made = make_url(url)
    engine = create_engine(made.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {made.database} WITH (FORCE)"))
    engine.dispose()


#: On a disk, where nobody waits for it: a thousand databases are more than memory should hold (``tests/memory.py``).
DISK = Path("/var/tmp")  # the folder made in it has a name of its own


@contextmanager
def running(folder: Path | None = None) -> Iterator[Cluster]:
    """Run one below ``folder``, or on a disk."""
    directory = Path(tempfile.mkdtemp(prefix="gs-pg-", dir=folder or DISK))
    cluster = Cluster(directory)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
