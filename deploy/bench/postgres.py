"""A PostgreSQL of our own for a while: on a unix socket only, in a folder that is thrown away."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, exc, text

from core.errors import Unavailable


class Cluster:
    """A running server; ``durable`` says whether a commit waits for the disk."""

    def __init__(self, directory: Path, *, sockets: Path | None = None, durable: bool = True) -> None:
        """Make a cluster in ``directory`` and start it. Raises ``Unavailable`` when it does not come up.

        ``sockets`` is another folder for its socket, whose path must not be longer than 107 octets.
        """
        self.directory = directory
        self._sockets = sockets or directory
        data = directory / "data"
        initdb = [program("initdb"), "-D", str(data), "-U", "guosuo", "--auth=trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(as_user(initdb), check=True, capture_output=True)
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self._sockets}"]
        if not durable:
            options += ["-c", "fsync=off"]
        self._log = (directory / "log").open("wb")
        postgres = as_user([program("postgres"), "-D", str(data), *options])
        self.process = subprocess.Popen(postgres, stdout=self._log, stderr=self._log)
        try:
            self._wait()
        except Unavailable:
            self.stop()
            raise

    def _wait(self) -> None:
        engine = create_engine(self.url("postgres"))
        end = time.monotonic() + 20
        try:
            while True:
                try:
                    with engine.connect():
                        return
                except exc.OperationalError as error:
                    if time.monotonic() > end:
                        said = (self.directory / "log").read_text(errors="replace")[-400:]
                        raise Unavailable(f"PostgreSQL does not start: {said}") from error
                time.sleep(0.05)
        finally:
            engine.dispose()

    def url(self, name: str) -> str:
        """Return the address of the database ``name``."""
        return f"postgresql+psycopg://guosuo@/{name}?host={self._sockets}"

    def create(self, name: str, template: str = "template1") -> str:
        """Make the database ``name`` and return its address."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return self.url(name)

    def stop(self) -> None:
        """End it at once: what is in it is thrown away."""
        # SIGQUIT: a checkpoint over hundreds of databases would take half a minute.
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        self._log.close()


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Raises ``Unavailable``."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise Unavailable(f"`{name}` of PostgreSQL is missing", hint="run deploy/setup.sh")
    return str(found[-1])


def as_user(command: Sequence[str]) -> list[str]:
    """Return ``command`` so that root may run it.

    PostgreSQL refuses root, even root of a user namespace; inside one more namespace we are an ordinary user again.
    """
    if os.geteuid() != 0:
        return list(command)
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]


@contextmanager
def running(directory: Path, *, sockets: Path) -> Iterator[Cluster]:
    """Run a durable one in ``directory``, which must exist and be empty."""
    cluster = Cluster(directory, sockets=sockets)
    try:
        yield cluster
    finally:
        cluster.stop()
