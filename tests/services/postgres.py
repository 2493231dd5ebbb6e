"""A real PostgreSQL on a unix socket, one per test worker, gone with it."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise RuntimeError(f"{name} is missing: run deploy/setup.sh")
    return str(found[-1])


def _as_user(command: list[str]) -> list[str]:
    # initdb refuses root, even root of a user namespace; inside one more namespace we are an ordinary user again.
    if os.geteuid() != 0:
        return command
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]


class Cluster:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        data = directory / "data"
        initdb = [_program("initdb"), "-D", str(data), "-U", "guosuo", "--auth=trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(_as_user(initdb), check=True, capture_output=True)
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={directory}", "-c", "fsync=off"]
        self._log = (directory / "log").open("wb")
        postgres = _as_user([_program("postgres"), "-D", str(data), *options])
        self.process = subprocess.Popen(postgres, stdout=self._log, stderr=self._log)
        self._wait()

    def _wait(self) -> None:
        engine = create_engine(self.url("postgres"))
        for _ in range(200):
            try:
                with engine.connect():
                    break
            except Exception:  # noqa: BLE001
                time.sleep(0.05)
        engine.dispose()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://guosuo@/{name}?host={self.directory}"

    def create(self, template: str = "template1") -> str:
        name = f"t{secrets.token_hex(6)}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return self.url(name)

    def stop(self) -> None:
        # Immediate: what is in it is thrown away, and a checkpoint over hundreds of databases takes half a minute.
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        self._log.close()


def drop(url: str) -> None:
    """Drop a database that ``create`` made; whoever is still connected is thrown out."""
    made = make_url(url)
    engine = create_engine(made.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {made.database} WITH (FORCE)"))
    engine.dispose()


@contextmanager
def running(folder: Path | None = None) -> Iterator[Cluster]:
    """Run one below ``folder``, or where temporary files are."""
    directory = Path(tempfile.mkdtemp(prefix="gs-pg-", dir=folder))
    cluster = Cluster(directory)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
