"""The laboratory: network namespaces joined by veth pairs, inside a user namespace of our own, without a route out.

Everything in it ends with the process that made it (``unshare --kill-child``), also when that is interrupted.

    office 10.30.0.2 ── 10.30.0.1 gateway 10.20.0.1 ── 10.20.0.10 finance   (outer-finance)
    office 10.90.0.1 ── 10.90.0.10 centre         10.10.0.1 ── 10.10.0.10 archive   (inner-office)
                        gateway 10.90.1.1 ── 10.90.1.10 centre
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Unavailable
from deploy import doctor


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: which namespace (empty for the office, where people sit), interface and address."""

    namespace: str
    interface: str
    address: str


#: Each link joins two ends; nothing forwards between links.
LINKS: tuple[tuple[End, End], ...] = (
    (End("", "office0", "10.30.0.2/24"), End("gateway", "entry0", "10.30.0.1/24")),
    (End("", "admin0", "10.90.0.1/24"), End("centre", "site0", "10.90.0.10/24")),
    (End("gateway", "ask0", "10.90.1.1/24"), End("centre", "site1", "10.90.1.10/24")),
    (End("gateway", "hopfin0", "10.20.0.1/24"), End("finance", "app0", "10.20.0.10/24")),
    (End("gateway", "hopoff0", "10.10.0.1/24"), End("archive", "app0", "10.10.0.10/24")),
)

NAMESPACES = ("gateway", "centre", "finance", "archive")


def enter(command: Sequence[str]) -> int:
    """Run ``command`` in fresh user, network, mount and process namespaces; return its exit status."""
    # setpriv: when we are killed, unshare is too, and with it everything in its namespaces.
    unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", "--user", "--map-root-user", "--net", "--mount", "--pid"]
    environment = {**os.environ, "PATH": doctor.search_path(os.environ.get("PATH", ""))}
    process = subprocess.Popen([*unshare, "--fork", "--kill-child", "--mount-proc", *command], env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        # However this ends, nothing of the laboratory outlives it. unshare is deaf to any other signal while it waits.
        process.kill()
        process.wait()


def build() -> None:
    """Make the namespaces and links. Only inside the laboratory; raises ``Unavailable`` naming what failed."""
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    _run("ip", "link", "set", "lo", "up")
    for name in NAMESPACES:
        _run("ip", "netns", "add", name)
        _run(*within(name), "ip", "link", "set", "lo", "up")
    for left, right in LINKS:
        _join(left, right)


def within(namespace: str) -> list[str]:
    """Return the command prefix that runs a program in ``namespace`` (none for the office)."""
    return ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []


def bind(source: Path, target: Path) -> None:
    """Show the folder ``source`` at ``target`` as well, for this laboratory alone."""
    _run("mount", "--bind", str(source), str(target))


def routes_out() -> list[str]:
    """Return every default route in the laboratory: there must be none."""
    found = []
    for name in ("", *NAMESPACES):
        listed = _run(*within(name), "ip", "-o", "route", "show", "default")
        found += [f"{name or 'office'}: {line}" for line in listed.splitlines()]
    return found


def _join(left: End, right: End) -> None:
    _run("ip", "link", "add", left.interface, "type", "veth", "peer", "name", f"peer-{left.interface}")
    _place(f"peer-{left.interface}", right)
    _place(left.interface, left)


def _place(interface: str, end: End) -> None:
    prefix = within(end.namespace)
    if end.namespace:
        _run("ip", "link", "set", interface, "netns", end.namespace)
    if interface != end.interface:
        _run(*prefix, "ip", "link", "set", interface, "name", end.interface)
    _run(*prefix, "ip", "address", "add", end.address, "dev", end.interface)
    _run(*prefix, "ip", "link", "set", end.interface, "up")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        detail = f"the laboratory cannot be built: `{' '.join(command)}`: {done.stderr.strip()}"
        raise Unavailable(detail, hint="see `guosuo doctor`")
    return done.stdout


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def source() -> Path:
    """Return the folder that our packages are imported from."""
    return Path(__file__).resolve().parents[2]
