"""Every command line in README and runbooks exists, with its options: parsed by the program itself, not run."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import guosuo_verify
from deploy.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "deploy" / "runbooks").glob("*.md"))]


def lines(program: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            joined = block.replace("\\\n", " ")
            commands = [line.strip() for line in joined.splitlines()]
            found += [(page.name, line) for line in commands if line.startswith(f"{program} ")]
    return found


def parse(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line.split(" #", maxsplit=1)[0].split(" > ", maxsplit=1)[0])[1:]
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    if "--help" not in words:
        command.make_context("guosuo", words)


def test_there_are_lines_to_check() -> None:
    assert len(lines("guosuo")) >= 20


@pytest.mark.parametrize(("page", "line"), lines("guosuo"))
def test_command_line_exists(page: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["guosuo conjure", "guosuo cert revoke --force 1", "guosuo register"])
def test_a_line_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"conjure|force|register"):
        parse(line)


@pytest.mark.parametrize(("page", "line"), lines("guosuo-verify"))
def test_verifier_lines_exist(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    # The bundle of the example is not there; a wrong option would end in the usage instead.
    assert guosuo_verify.main(shlex.split(line)[1:]) == 2
    assert "cannot be read" in capsys.readouterr().err
