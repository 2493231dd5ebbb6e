"""The parts of set-up that can be tried without changing this machine: its functions, on files of the test."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "setup.sh"


def shell(text: str, *arguments: str | Path, prefix: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """Run ``text`` with the functions of the script at hand."""
    command = [*prefix, "bash", "-c", f'source "$1"; shift; {text}', "a test", *map(str, (SCRIPT, *arguments))]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_wrong_option_is_wrong_usage() -> None:
    done = subprocess.run(["bash", SCRIPT, "--nonsense"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--dry-run" in done.stdout


def test_dry_run_says_and_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/setup.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    command = ["bash", tmp_path / "deploy" / "setup.sh", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"set-up makes {tmp_path}/.venv" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_ordinary_user_is_told_what_root_has_to_run() -> None:
    """Inside a user namespace even root is an ordinary user."""
    ordinary = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    text = 'PACKAGES=("sample-package /nowhere/at/all"); check_release() { :; }; packages run'
    done = shell(text, prefix=ordinary)
    assert done.returncode == 1
    assert f"run as root: {SCRIPT} --packages" in done.stderr
    assert "sample-package" in done.stdout


def test_installed_copy_says_that_it_has_no_lock() -> None:
    done = shell("LOCK=/nowhere; environment run")
    assert done.returncode == 1
    assert "only --packages" in done.stderr


STANZAS = """# A comment
Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
# http://snapshot.example/archive
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 c2FtcGxl
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""

FROM_STANZAS = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 c2FtcGxl
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_backports_come_from_the_stanza_of_the_release(tmp_path: Path) -> None:
    path = tmp_path / "debian.sources"
    path.write_text(STANZAS)
    assert shell('backports_of_stanzas bookworm "$1"', path).stdout == FROM_STANZAS
    assert shell('backports_of_stanzas trixie "$1"', path).stdout == ""


LINES = """# deb http://commented.example/debian bookworm main
deb-src http://sources.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb http://other.example/debian bookworm contrib
deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/sample.gpg] http://mirror.example/debian bookworm main # ours
deb http://second.example/debian bookworm main
"""

FROM_LINES = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Architectures: amd64 arm64
Signed-By: /usr/share/keyrings/sample.gpg
"""


def test_backports_come_from_the_line_of_the_release(tmp_path: Path) -> None:
    path = tmp_path / "sources.list"
    path.write_text(LINES)
    assert shell('backports_of_lines bookworm "$1"', path).stdout == FROM_LINES
    assert shell('backports_of_lines trixie "$1"', path).stdout == ""


#: The policy file and its companions, moved into a folder of the test.
MOVED = "POLICY=$1/policy-rc.d; POLICY_SAVED=$1/saved; CLUSTERS=$1/postgresql-common/createcluster.d/ours.conf; "


@pytest.mark.parametrize("former", ["file", "link", "dangling link", "nothing"])
def test_former_policy_comes_back_exactly(tmp_path: Path, former: str) -> None:
    policy = tmp_path / "policy-rc.d"
    if former == "file":
        policy.write_text("#!/bin/sh\nexit 104\n")
        policy.chmod(0o750)
    elif former != "nothing":
        policy.symlink_to("/bin/true" if former == "link" else "/nowhere")
    before = policy.lstat() if former != "nothing" else None

    during = shell(f'{MOVED} forbid_services; "$POLICY" || echo $?; cat "$CLUSTERS"; restore', tmp_path)
    assert during.stdout.splitlines()[0] == "101"
    assert "create_main_cluster = false" in during.stdout
    assert during.returncode == 0
    if before is None:
        assert list(tmp_path.iterdir()) == []
    else:
        assert policy.lstat().st_ino == before.st_ino
        assert stat.S_IMODE(policy.lstat().st_mode) == stat.S_IMODE(before.st_mode)
        assert list(tmp_path.iterdir()) == [policy]


def test_next_run_undoes_what_a_killed_one_left(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("former")
    shell(f"{MOVED} forbid_services; kill -KILL $$", tmp_path)
    assert "guosuo set-up" in policy.read_text()
    done = shell(f"{MOVED} finish_interrupted", tmp_path)
    assert "cut off" in done.stdout
    assert policy.read_text() == "former"
    assert shell(f"{MOVED} finish_interrupted", tmp_path).stdout == ""


def test_foreign_policy_is_left_alone(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    assert shell(f"{MOVED} finish_interrupted; restore", tmp_path).stdout == ""
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_python_of_the_wrong_age_is_passed_over(tmp_path: Path) -> None:
    for name, status in (("python3", 1), ("python3.13", 1), ("python3.12", 0)):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$0"\nexit {status}\n')
        program.chmod(0o755)
    found = shell("PATH=$1:/usr/bin:/bin; hash -r; find_python", tmp_path)
    assert found.stdout.strip() == str(tmp_path / "python3.12")


def test_python_of_an_active_environment_is_not_built_upon() -> None:
    """Setting up anew removes that environment first."""
    active = Path(sys.executable).parent
    found = Path(shell("PATH=$1:$PATH; find_python", active).stdout.strip())
    assert found.exists()
    assert (sys.prefix == sys.base_prefix) or not found.is_relative_to(sys.prefix)


def test_environment_is_made_anew_when_the_lock_changes(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("sample")
    lock = tmp_path / "requirements.lock"
    stamps = []
    for content in ("one", "two", "one"):
        lock.write_text(content)
        stamps.append(shell("ROOT=$1; LOCK=$1/requirements.lock; wanted_stamp", tmp_path).stdout)
    assert stamps[0] == stamps[2] != stamps[1]


def test_lock_holds_everything_that_is_asked_for() -> None:
    """Each with hashes, in a version that pyproject.toml allows, and with no word of where it comes from."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    hashed = r"(?: ; .*?)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
    entries = re.findall(rf"^([A-Za-z0-9._-]+)==(\S+){hashed}", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^[A-Za-z]", text, re.MULTILINE)) > 50
    assert not re.search(r"index|find-links|https?:|file:", re.sub(r"^ *#.*$", "", text, flags=re.M))
    locked: dict[str, list[str]] = {}
    for name, version in entries:
        locked.setdefault(canonicalize_name(name), []).append(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [Requirement(one) for one in (*project["dependencies"], *project["optional-dependencies"]["dev"])]
    lacking = [
        str(one)
        for one in asked
        if not any(one.specifier.contains(version) for version in locked.get(canonicalize_name(one.name), []))
    ]
    assert lacking == []


def test_nothing_of_the_machine_is_in_the_environment_of_the_script() -> None:
    """A private index that this machine's pip is told of is pip's own business: nothing here overrides it."""
    text = SCRIPT.read_text(encoding="utf-8")
    overriding = r"PIP_(INDEX|EXTRA|FIND|NO_INDEX|CONFIG|TRUSTED)|--(index-url|extra-index|isolated|no-index)"
    assert not re.search(overriding, text)
    assert os.access(SCRIPT, os.X_OK)
