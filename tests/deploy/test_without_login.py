"""Being root on the server grants nothing: without a login every command that acts is refused first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from core.errors import Unauthenticated
from deploy.cli.main import app

#: What works on the machine itself: it makes, starts, upgrades, examines, restores or drills, or only works with files.
#: Whoever enrols has no login yet, and whoever renews shows what is in the folder.
LOCAL = {
    *("init", "serve", "migrate", "doctor", "rehearse"),
    *("backup restore", "drill run"),
    *("cert csr", "app check", "gateway config", "evidence verify", "evidence check-proof", "evidence policy"),
    *("login", "logout", "trust", "cert enroll", "cert renew", "cert pkcs12"),
}

#: A value that gets through what is checked on this side, by the name of the parameter.
GIVEN = {
    "csr": "one.csr",
    "root": "one.csr",
    "body": "one.json",
    "file": "one.yaml",
    "out": "out.pem",
    "kind": "person",
    "level": "3",
    "number": "44",
    "before": "2026-01-01",
    "until": "2030-01-01",
    "directory": "folder",
}

#: What a command needs although no single parameter is required.
MORE = {
    "cert revoke": ["02" * 20],
    "evidence hold add": ["--object", "person:li-wen"],
    "evidence prove": ["1"],
    "evidence purge": ["--reason", "x"],
}


def commands() -> Iterator[tuple[str, Any]]:
    def walk(one: Any, path: list[str]) -> Iterator[tuple[str, Any]]:
        if not hasattr(one, "commands"):
            yield " ".join(path), one
            return
        for name, below in one.commands.items():
            yield from walk(below, [*path, name])

    yield from walk(typer.main.get_command(app), [])


ACTING = [(name, command) for name, command in commands() if name not in LOCAL]


def test_the_local_commands_are_those() -> None:
    assert {name for name, _ in commands()} >= LOCAL
    assert len(ACTING) > 40


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "one.csr").write_text("-----BEGIN CERTIFICATE REQUEST-----")
    (tmp_path / "one.json").write_text("{}")
    (tmp_path / "one.yaml").write_text("a: b\n")
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("GUOSUO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "command"), ACTING, ids=[name for name, _ in ACTING])
def test_without_a_login_nothing_is_done(here: Path, name: str, command: Any) -> None:
    words = [*name.split(), *MORE.get(name, [])]
    for parameter in command.params:
        if parameter.required:
            value = GIVEN.get(parameter.name, "a" * 32)
            words += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    words += [option for option in ("--yes",) if any(option in one.opts for one in command.params)]
    before = sorted(here.rglob("*"))
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, Unauthenticated), (words, done.output, done.exception)
    assert done.exception.detail == "nobody is logged in on this machine"
    assert sorted(here.rglob("*")) == before
