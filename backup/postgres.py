"""PostgreSQL's own programs: found where Debian keeps them, run without a shell; and a scratch server for drills."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, exc, make_url

from backup.errors import StoreProgramFailed

#: Seconds that a scratch server gets to start and to stop.
_PATIENCE = 30.0


def program(name: str) -> str:
    """Return the newest installed program; Debian's wrappers in the PATH need a configuration that a sandbox lacks."""
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = sorted(found, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0)
    return str(newest[-1]) if newest else name


def run(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs. Raises ``StoreProgramFailed`` with its last words."""
    try:
        done = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise StoreProgramFailed(f"`{name}` is not installed", hint="see `guosuo doctor`") from error
    if done.returncode != 0:
        raise StoreProgramFailed(f"`{name}` failed: {done.stderr.strip()[-300:]}", hint="see `guosuo doctor`")


def plain_url(url: str) -> str:
    """Return a SQLAlchemy URL in the form that PostgreSQL's own programs read."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def scratch(folder: Path) -> Iterator[str]:
    """Run a server of its own in ``folder``, on a unix socket only; give the URL of its empty database."""
    data = folder / "data"
    run("initdb", "-D", str(data), "-U", "guosuo", "--auth=trust", "-E", "UTF8", "--no-sync")
    options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program("postgres"), "-D", str(data), *options], stdout=log, stderr=log)
    try:
        url = f"postgresql+psycopg://guosuo@/postgres?host={folder}"
        _await(url, server, folder / "log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    engine = create_engine(url)
    try:
        while True:
            try:
                engine.connect().close()
            except exc.OperationalError as error:
                if server.poll() is not None or time.monotonic() > deadline:
                    words = log.read_text(encoding="utf-8", errors="replace")[-300:]
                    raise StoreProgramFailed(f"the scratch server does not answer: {words}") from error
                time.sleep(0.05)
            else:
                return
    finally:
        engine.dispose()
