"""What people read is what stands there: nobody else's text moves, colours or reorders a terminal."""

import pytest

from deploy.cli import output

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
