"""The examination on this machine, and what it says when parts are out of reach."""

import os
import time
from pathlib import Path

import pytest

from deploy import doctor


def test_this_machine_lacks_nothing_and_is_examined_quickly() -> None:
    begun = time.monotonic()
    findings = doctor.inspect()
    assert doctor.missing(findings) == []
    # Half a second at rest; other tests run beside this one.
    assert time.monotonic() - begun < 10
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    assert {"nginx", "suricata", "bwrap", "softhsm module", "laboratory: veth", "python packages"} <= set(names)


def test_bare_path_names_every_program_with_its_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lacking = {finding.name: finding for finding in doctor.missing(doctor.inspect())}
    # What lives in /usr/sbin is found whatever PATH says.
    assert {"suricata", "openssl", "bwrap", "unshare", "curl", "laboratory: namespaces"} <= set(lacking)
    assert {"nginx", "python", "softhsm module"}.isdisjoint(lacking)
    assert lacking["suricata"].found == "not on PATH"
    assert lacking["suricata"].cure.endswith("/deploy/setup.sh --packages")


def test_old_program_is_named_with_both_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "suricata"
    program.write_text("#!/bin/sh\necho This is Suricata version 6.0.20 RELEASE\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (found,) = doctor.missing(doctor.inspect())
    assert (found.name, found.found, found.expected) == ("suricata", f"6.0.20 ({program})", "7.0 or newer")


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1\n", "not a program at all"])
def test_broken_program_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    program = tmp_path / "nginx"
    program.write_text(content)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert [(found.name, found.found) for found in doctor.missing(doctor.inspect())] == [
        ("nginx", f"a version that cannot be read ({program})")
    ]


def test_long_state_folder_is_found_before_a_socket_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUOSUO_STATE", str(tmp_path / ("x" * 100)))
    assert [found.name for found in doctor.missing(doctor.inspect())] == ["socket path"]


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("nginx version: nginx/1.22.1\n", (1, 22, 1)),
        ("OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19)", (3, 0, 19)),
        ("ip utility, iproute2-6.1.0, libbpf 1.1.0", (6, 1, 0)),
        ("This is Suricata version 8.0.8 RELEASE", (8, 0, 8)),
        ("2.6.1", (2, 6, 1)),
        ("version 7", ()),
        ("", ()),
    ],
)
def test_version_is_read(printed: str, version: tuple[int, ...]) -> None:
    assert doctor.parse_version(printed) == version


def test_search_path_adds_only_what_lacks() -> None:
    assert doctor.search_path("/usr/bin:/bin") == "/usr/bin:/bin:/usr/sbin:/sbin"
    assert doctor.search_path("/usr/sbin:/bin") == "/usr/sbin:/bin:/sbin"
    assert doctor.search_path("") == "/usr/sbin:/sbin"


@pytest.mark.parametrize(
    ("kernel", "cure"),
    [
        ({"kernel.unprivileged_userns_clone": "0"}, "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            {"kernel.unprivileged_userns_clone": "1", "kernel.apparmor_restrict_unprivileged_userns": "1"},
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ({"user.max_user_namespaces": "0"}, "sysctl -w user.max_user_namespaces=10000"),
        ({"user.max_user_namespaces": "1000"}, "in a container"),
        ({}, "in a container"),
    ],
)
def test_forbidden_namespaces_have_their_cure(kernel: dict[str, str], cure: str) -> None:
    assert cure in doctor.laboratory_cure(kernel)
