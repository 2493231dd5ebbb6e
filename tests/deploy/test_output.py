"""What people read is what stands there: nobody else's text moves, colours or reorders a terminal."""

import os
import pty
import sys
from contextlib import nullcontext

import pytest
import typer

from core.ledger.entry import JsonValue
from deploy.cli import custody, output

HOSTILE = ["\x1b[2J", "\x9b31m", "\x1b]0;title\x07", "\u202egnp", "\u2066x", "a\rb", "\x7f", "\u2028"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_would_obey_is_written_out(capsys: pytest.CaptureFixture[str], text: str) -> None:
    output.say(f"reason: {text}")
    output.warn("overdue", text)
    output.print_thing({"reason": text, "body": {"basis": text}, "list": [text]}, as_json=False)
    output.print_rows([{"reason": text}], ("reason",), as_json=False, empty="")
    shown = capsys.readouterr().out
    assert "\\u00" in shown or "\\u20" in shown
    assert not set(shown) & set("\x1b\x9b\x07\u202e\u2066\r\x7f\u2028")


@pytest.mark.parametrize("text", ["任免 · 演练样本", "a\tb", "naïve — “quoted” ✓", "第一行\n第二行"])
def test_everything_else_is_shown_as_it_is(text: str) -> None:
    assert output.visible(text) == text


@pytest.mark.parametrize(("as_json", "goes_on"), [(False, True), (True, False)])
def test_what_was_not_shown_is_not_asked_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool, goes_on: bool
) -> None:
    """With ``--json`` a terminal has seen nothing of what "as shown" would speak of."""
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    with (
        open(theirs, encoding="utf-8") as terminal,
        nullcontext() if goes_on else pytest.raises(typer.BadParameter) as said,
    ):
        monkeypatch.setattr(sys, "stdin", terminal)
        output.confirm("Approve, as shown?", yes=False, as_json=as_json)
    os.close(ours)
    assert ("as shown" in capsys.readouterr().err) == goes_on
    assert said is None or "--yes" in str(said.value)


def test_who_said_yes_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    output.confirm("Approve, as shown?", yes=True, as_json=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_a_trace_writes_out_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str], text: str) -> None:
    record: dict[str, JsonValue] = {"number": 1, "at": "", "type": "", "result": "done", "actor": text, "object": text}
    below: dict[str, JsonValue] = {"name": text, "said": [], "records": [], "more": 0, "unresolved": text, "things": []}
    thing: dict[str, JsonValue] = {**below, "said": [text], "records": [record], "things": [below]}
    output.people.print(custody.branch(thing), highlight=False)
    shown = capsys.readouterr().out
    assert "\\u00" in shown or "\\u20" in shown
    assert not set(shown) & set("\x1b\x9b\x07\u202e\u2066\r\x7f\u2028")
