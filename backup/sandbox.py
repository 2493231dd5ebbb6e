"""A place without a way out: own user, network, process and mount namespaces, gone with whoever made it (bubblewrap).

Inside there is the loopback interface and nothing else; the repository and the identity are there read-only, and of the
machine only its programs. Works for root, for an ordinary user, and inside another user namespace.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from backup.errors import DrillFailed

#: Where things are inside.
REPOSITORY, IDENTITY, WORK = Path("/repository"), Path("/identity.age"), Path("/drill")

#: Who we are inside: never root, because PostgreSQL refuses it.
_UID = "1000"

_PASSWD = f"drill:x:{_UID}:{_UID}::/drill:/bin/false\n"


def run(arguments: Sequence[str], *, repository: Path, identity: Path, work: Path, timeout: float) -> None:
    """Run our Python with ``arguments`` inside; raises ``DrillFailed`` when it does not end well or in time."""
    (work / "passwd").write_text(_PASSWD, encoding="ascii")
    command = [
        *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--uid", _UID, "--gid", _UID),
        *("--hostname", "drill", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108  # its own
        *_programs(),
        *("--ro-bind", str(work / "passwd"), "/etc/passwd"),
        *("--ro-bind", str(repository), str(REPOSITORY), "--ro-bind", str(identity), str(IDENTITY)),
        *("--bind", str(work), str(WORK), "--chdir", str(WORK)),
        *_environment(),
        *(sys.executable, *arguments),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise DrillFailed("`bwrap` is not installed", hint="see `guosuo doctor`") from error
    except subprocess.TimeoutExpired as error:
        raise DrillFailed(f"the drill did not end within {timeout:.0f} s") from error
    if done.returncode != 0:
        raise DrillFailed(f"the drill broke off ({done.returncode}): {done.stderr.strip()[-600:]}")


def source() -> Path:
    """Return the folder that our packages are imported from."""
    return Path(__file__).resolve().parents[1]


def _programs() -> Iterator[str]:
    """Yield the binds of the machine's programs, of Python and of ourselves."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("/bin", "/sbin", "/lib", "/lib64"):
        place = Path(name)
        if place.is_symlink():
            yield from ("--symlink", os.readlink(place), name)
        elif place.is_dir():
            yield from ("--ro-bind", name, name)
    for name in ("/etc/ssl", "/etc/ld.so.cache", "/etc/alternatives"):
        yield from ("--ro-bind-try", name, name)
    for place in dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), source())):
        if not place.is_relative_to("/usr"):
            yield from ("--ro-bind", str(place), str(place))


def _environment() -> Iterator[str]:
    yield "--clearenv"
    values = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin",
        "HOME": str(WORK),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(source()),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name, value in values.items():
        yield from ("--setenv", name, value)


def ways_out() -> list[str]:
    """Return every interface and route of this place that leads beyond it; there must be none."""
    interfaces = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text("ascii").splitlines()[2:]]
    routes = [line.split()[0] for line in Path("/proc/net/route").read_text("ascii").splitlines()[1:]]
    return [name for name in (*interfaces, *routes) if name != "lo"]
