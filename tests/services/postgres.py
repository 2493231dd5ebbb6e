"""A real PostgreSQL on a unix socket, one per test worker, gone with it.

It lies in memory, where a database is made for a third of the work and nothing waits for a disk; so that memory holds
them, a test's own database goes with the test (``lent``).
"""

import functools
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import create_engine, make_url, text

from deploy.bench import postgres
from tests.memory import MEMORY


class Cluster(postgres.Cluster):
    """One that does not wait for the disk, with databases under names of their own."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, durable=False)

    def create(self, template: str = "template1") -> str:  # type: ignore[override]
        name = f"t{secrets.token_hex(6)}"
        # Copied as files, as before PostgreSQL 15: through the log, every page of it would be written twice.
        strategy = "STRATEGY file_copy" if self._administration.info.server_version >= 150000 else ""
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        return self.url(name)

    @contextmanager
    def lent(self, template: str = "template1") -> Iterator[str]:
        """Make a database for a while; whoever is still connected at the end is thrown out."""
        url = self.create(template)
        try:
            yield url
        finally:
            self._administer(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def stop(self) -> None:
        if "_administration" in self.__dict__:
            self._administration.close()
        super().stop()

    @functools.cached_property
    def _administration(self) -> psycopg.Connection:
        """One connection for all of it: a new one costs as much as what it is made for."""
        address = make_url(self.url("postgres"))
        return psycopg.connect(
            dbname=address.database, user=address.username, host=str(address.query["host"]), autocommit=True
        )

    def _administer(self, statement: str) -> None:
        self._administration.execute(statement)  # type: ignore[call-overload]  # our own words


def drop(url: str) -> None:
    """Drop a database that ``create`` made; whoever is still connected is thrown out."""
    made = make_url(url)
    engine = create_engine(made.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {made.database} WITH (FORCE)"))
    engine.dispose()


#: Where there is not memory enough.
DISK = Path("/var/tmp")  # the folder made in it has a name of its own


@contextmanager
def running(folder: Path | None = None) -> Iterator[Cluster]:
    """Run one below ``folder``, or in memory."""
    directory = Path(tempfile.mkdtemp(prefix="gs-pg-", dir=folder or MEMORY or DISK))
    cluster = Cluster(directory)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
