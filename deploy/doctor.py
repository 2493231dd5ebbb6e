"""What a rehearsal and a site need of this machine: found or not, and the command that cures it.

Examines and changes nothing. Takes well under two seconds, as any user, also inside the laboratory.
nginx and ip live in ``/usr/sbin``, which an ordinary user's PATH lacks on Debian: ``search_path`` adds it, for what is
examined here and for what the laboratory starts.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy import doctor_notice, settings
from hsm.settings import HsmSettings

#: The longest path of a unix socket, in octets (``sun_path`` of unix(7), less the closing zero).
LONGEST_SOCKET = 107

#: What a rehearsal writes at most, with room to spare.
LEAST_SPACE = 300 * 2**20

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: what was found, what was expected, and the command that cures it (empty when ``ok``)."""

    name: str
    ok: bool
    found: str
    expected: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, how it tells its version, and the least version that will do."""

    name: str
    version: tuple[str, ...]
    least: tuple[int, ...]


PROGRAMS = (
    Program("softhsm2-util", ("--version",), (2, 6)),
    Program("openssl", ("version",), (3, 0)),
    Program("nginx", ("-v",), (1, 22)),
    Program("suricata", ("-V",), (7, 0)),
    Program("ip", ("-V",), ()),
    Program("unshare", ("--version",), (2, 38)),
    Program("nsenter", ("--version",), (2, 38)),
    Program("setpriv", ("--version",), (2, 38)),
    Program("mount", ("--version",), (2, 38)),
    Program("bwrap", ("--version",), (0, 8)),
    Program("curl", ("--version",), (7, 80)),
)

#: What the product imports of others, by the name it is imported under.
IMPORTED = (
    "alembic",
    "asn1crypto",
    "cedarpy",
    "cryptography",
    "fastapi",
    "httptools",
    "httpx2",
    "jinja2",
    "msgspec",
    "orjson",
    "psycopg",
    "pydantic",
    "pydantic_settings",
    "pyrage",
    "pkcs11",
    "yaml",
    "rfc3161_client",
    "rfc8785",
    "rich",
    "sqlmodel",
    "typer",
    "uvicorn",
    "uvloop",
)

#: One probe inside fresh namespaces: each line that is printed is a part that works there.
_LABORATORY = """
echo namespaces
mount -t tmpfs tmpfs /run && echo mount
ip link add gs-probe0 type veth peer name gs-probe1 && echo veth
ip netns add gs-probe && nsenter --net=/run/netns/gs-probe ip link set lo up && echo netns
bwrap --unshare-all --die-with-parent --ro-bind / / --dev /dev --proc /proc true && echo bwrap
"""

_PARTS = {
    "namespaces": "user, network, mount and process namespaces for this user",
    "mount": "mounting inside them",
    "veth": "virtual Ethernet pairs inside them",
    "netns": "named network namespaces inside them",
    "bwrap": "bubblewrap inside them",
}


def inspect() -> list[Finding]:
    """Examine every part. Never raises for what is missing: that is a finding."""
    path = search_path(os.environ.get("PATH", ""))
    with ThreadPoolExecutor(4) as pool:
        laboratory = pool.submit(_laboratory, path)
        programs = list(pool.map(lambda program: _program(program, path), PROGRAMS))
        found = [_python(), _packages(), _module(), *programs, *laboratory.result(), _space(Path.cwd()), _socket()]
    return [*found, *(Finding(*one) for one in doctor_notice.examine(settings.default_state()))]


def missing(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that are not ok."""
    return [finding for finding in findings if not finding.ok]


def search_path(path: str) -> str:
    """Return ``path`` with the folders where Debian keeps programs of administration, behind what it names."""
    folders = [folder for folder in path.split(os.pathsep) if folder]
    return os.pathsep.join([*folders, *(extra for extra in ("/usr/sbin", "/sbin") if extra not in folders)])


def _setup() -> str:
    return f"as root: bash {Path(__file__).with_name('setup.sh')} --packages"


def _finding(name: str, found: str, expected: str, *, ok: bool, cure: str) -> Finding:
    return Finding(name, ok, found, expected, "" if ok else cure)


def _program(program: Program, path: str) -> Finding:
    expected = ".".join(map(str, program.least)) + " or newer" if program.least else "any version"
    place = shutil.which(program.name, path=path)
    if place is None:
        return Finding(program.name, False, "not on PATH", expected, _setup())
    printed = _run([place, *program.version], path)
    version = parse_version(printed)
    words = ".".join(map(str, version)) if version else "a version that cannot be read"
    return _finding(program.name, f"{words} ({place})", expected, ok=version >= program.least, cure=_setup())


def parse_version(printed: str) -> tuple[int, ...]:
    """Return the first dotted number of ``printed``, or nothing."""
    found = re.search(r"(\d+(?:\.\d+)+)", printed)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _run(command: Sequence[str], path: str) -> str:
    """Return what ``command`` prints, on either stream; nothing when it cannot be run to its end."""
    environment = {**os.environ, "PATH": path, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, env=environment, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    cure = "as root: apt-get install python3-venv; then deploy/setup.sh"
    return _finding("python", f"{found} ({sys.executable})", "3.11 to 3.13", ok=ok, cure=cure)


def _packages() -> Finding:
    lacking = [name for name in IMPORTED if importlib.util.find_spec(name) is None]
    found = f"without {', '.join(lacking)}" if lacking else f"{len(IMPORTED)} there"
    cure = f"bash {Path(__file__).with_name('setup.sh')}"
    return _finding("python packages", found, "those of requirements.lock", ok=not lacking, cure=cure)


def _module() -> Finding:
    module = HsmSettings(state=Path("/")).module
    ok = module.exists()
    return _finding("softhsm module", str(module) if ok else "no such file", str(module), ok=ok, cure=_setup())


def _laboratory(path: str) -> list[Finding]:
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"]
    lines = _run([*unshare, "--mount-proc", "sh", "-c", _LABORATORY], path).splitlines()
    complaint = next((line for line in lines if line not in _PARTS), "it does not run")
    cure = laboratory_cure(_kernel_settings())
    return [
        _finding(f"laboratory: {part}", "works" if part in lines else complaint, expected, ok=part in lines, cure=cure)
        for part, expected in _PARTS.items()
    ]


def _kernel_settings() -> dict[str, str]:
    names = (
        "kernel.unprivileged_userns_clone",
        "kernel.apparmor_restrict_unprivileged_userns",
        "user.max_user_namespaces",
    )
    places = {name: Path("/proc/sys") / name.replace(".", "/", 1) for name in names}
    return {name: place.read_text(encoding="ascii").strip() for name, place in places.items() if place.exists()}


def laboratory_cure(kernel: dict[str, str]) -> str:
    """Return the command that permits namespaces, from the kernel's settings (sysctl name to value)."""
    if kernel.get("kernel.unprivileged_userns_clone") == "0":
        return "as root: sysctl -w kernel.unprivileged_userns_clone=1"
    if kernel.get("kernel.apparmor_restrict_unprivileged_userns") == "1":
        return "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if kernel.get("user.max_user_namespaces") == "0":
        return "as root: sysctl -w user.max_user_namespaces=10000"
    return f"{_setup()}; in a container, start it so that namespaces and mounts are permitted"


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found, expected = f"{free // 2**20} MiB free in {folder}", f"{LEAST_SPACE // 2**20} MiB"
    return _finding("disk space", found, expected, ok=free >= LEAST_SPACE, cure=f"free space in {folder}")


def _socket() -> Finding:
    longest = HsmSettings(state=settings.default_state()).socket
    length = len(os.fsencode(longest))
    return _finding(
        "socket path",
        f"{length} octets",
        f"at most {LONGEST_SOCKET} ({longest})",
        ok=length <= LONGEST_SOCKET,
        cure="export GUOSUO_STATE=/a/shorter/folder",
    )
