"""What the command line owes everybody: help that teaches, exit statuses, one line why on stderr."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest


def guosuo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GUOSUO_HOME": str(home), "GUOSUO_STATE": str(home / "state"), "COLUMNS": "160"}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL, timeout=60
    )


@pytest.mark.parametrize(
    "command", ["", "register", "role", "approval", "cert", "profile", "app", "gateway", "alert", "backup", "evidence"]
)
def test_help_of_every_group_names_its_commands(tmp_path: Path, command: str) -> None:
    done = guosuo(tmp_path, *([command] if command else []), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert "Commands" in done.stdout


def test_version_is_the_one_of_the_package(tmp_path: Path) -> None:
    assert guosuo(tmp_path, "--version").stdout.strip() == f"guosuo {importlib.metadata.version('guosuo')}"


def test_unknown_command_is_wrong_usage(tmp_path: Path) -> None:
    assert guosuo(tmp_path, "conjure").returncode == 2


@pytest.mark.parametrize(
    "command",
    [
        ("approval", "show", "../role"),
        ("approval", "approve", "", "--yes"),
        ("duty", "ack", "mine"),
        ("approval", "list", "--state", "lost"),
        ("duty", "list", "--orphan", "--mine"),
        ("duty", "list", "--orphan", "--limit", "200"),
        ("duty", "list", "--orphan", "--post", "czt-head", "--overdue"),
    ],
)
def test_what_is_no_id_or_state_is_wrong_usage(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = guosuo(tmp_path, *command)
    assert (done.returncode, "Usage" in done.stderr) == (2, True), done.stderr


def test_nobody_logged_in_is_refused_with_a_hint(tmp_path: Path) -> None:
    done = guosuo(tmp_path, "cert", "list")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "refused: nobody is logged in on this machine"
    assert "guosuo login" in done.stderr
    assert "Traceback" not in done.stderr


def test_serving_nothing_says_how_to_make_a_site(tmp_path: Path) -> None:
    done = guosuo(tmp_path, "serve", "--site", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "guosuo init" in done.stderr


def test_missing_province_makes_nothing(tmp_path: Path) -> None:
    done = guosuo(tmp_path, "init", "--from", str(tmp_path / "none.yaml"), "--site", str(tmp_path / "site"))
    assert done.returncode == 1
    assert "none.yaml" in done.stderr
    assert not (tmp_path / "site").exists()


def test_what_looks_like_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    name = tmp_path / "[red]none[/red].yaml"
    done = guosuo(tmp_path, "init", "--from", str(name), "--site", str(tmp_path / "site"))
    assert "[red]none[/red].yaml" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "cert issue li-wen --csr nope.csr --out x.pem",
        "cert issue li-wen --csr damaged.csr --out x.pem",
        "cert issue li-wen --csr good.csr --out nowhere/x.pem",
        "role appoint li-wen auditor --csr good.csr --out nowhere/x.pem",
        "drill run --repository a. --identity b.age --report nowhere/drill.html",
        "cert csr li-wen --key nowhere/k.pem --out x.csr",
        "cert csr li-wen --key k.pem --out nowhere/x.csr",
    ],
)
def test_files_that_cannot_be_used_are_refused_before_anything_is_done(tmp_path: Path, command: str) -> None:
    (tmp_path / "damaged.csr").write_bytes(b"0\x82\x01\x00rubbish")
    (tmp_path / "good.csr").write_text("-----BEGIN CERTIFICATE REQUEST-----")
    words = [str(tmp_path / word) if "." in word else word for word in command.split()]
    before = sorted(tmp_path.iterdir())
    done = guosuo(tmp_path, *words)
    assert done.returncode == 1
    assert done.stderr.startswith("refused: `")
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_rehearsal_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = guosuo(tmp_path, "rehearse", "--out", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("refused: `")


def test_request_never_overwrites_a_key(tmp_path: Path) -> None:
    key, request = tmp_path / "k.pem", tmp_path / "r.csr"
    files = ("--key", str(key), "--out", str(request))
    assert guosuo(tmp_path, "cert", "csr", "li-wen", *files).returncode == 0
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    again = guosuo(tmp_path, "cert", "csr", "li-wen", *files)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert key.read_bytes() == before


def test_the_help_of_a_proof_names_what_checks_one(tmp_path: Path) -> None:
    """`guosuo-verify` reads bundles only."""
    done = guosuo(tmp_path, "evidence", "prove", "--help")
    assert "guosuo-vouch" in done.stdout
    assert "guosuo-verify" not in done.stdout


def test_the_command_line_does_not_load_the_store() -> None:
    """It takes half of the time until a command does anything; only what runs a site needs it."""
    loaded = "import sys, deploy.cli.main; print([one for one in ('sqlalchemy', 'fastapi') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_list_that_names_no_certificate_chooses_nothing(tmp_path: Path) -> None:
    """Taken for no list, it would revoke whatever the other options choose."""
    (tmp_path / "none.txt").write_text("\n  \n")
    done = guosuo(tmp_path, "cert", "revoke", "--list", str(tmp_path / "none.txt"), "--profile", "person", "--yes")
    assert done.returncode == 1
    assert "names no certificate" in done.stderr


def test_an_order_to_follow_is_not_chosen_anew(tmp_path: Path) -> None:
    assert guosuo(tmp_path, "cert", "revoke", "--follow", "ab" * 32, "--profile", "person").returncode == 2
