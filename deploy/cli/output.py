"""What every command shares: its options, how it prints for people and for programs, and how it asks."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.ledger.entry import JsonValue
from deploy import login
from deploy.client import ServiceClient

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the evidence.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and do nothing.")]

# Without emoji: `hsm:key:read` is a permission, not a picture.
people = Console(emoji=False)
complaints = Console(stderr=True, emoji=False)


#: What makes a terminal act, or shows a line in another order than it was written and signed in.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

#: Columns that are never folded.
_WHOLE = ("serial", "id")


def connect() -> ServiceClient:
    """Return a client of the service as the person who is logged in."""
    return ServiceClient(login.load(login.home()))


def visible(text: str) -> str:
    """Return ``text`` with what a terminal would obey written out: it may be somebody else's. Pure."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(line: str) -> None:
    """Print one line as it is: no markup in it is read, nothing in it is coloured or wrapped."""
    people.print(visible(line), highlight=False, soft_wrap=True, markup=False)


def warn(word: str, line: str) -> None:
    """Print one line with a red word before it; what follows is printed as it is."""
    people.print(Text.assemble((visible(word), "bold red"), "  ", visible(line)), highlight=False, soft_wrap=True)


def progress(done: int, whole: int) -> None:
    """Say on a terminal how far a long work has come."""
    if complaints.is_terminal:
        complaints.print(f"{done} of {whole}", end="\r" if done < whole else "\n", highlight=False)


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_rows(rows: Sequence[Mapping[str, JsonValue]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Print ``rows`` as JSON, or as a table of ``columns``; ``empty`` is said when there is none."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        people.print(empty)
        return
    table = Table(header_style="bold")
    for column in columns:
        # A serial number or an id that is folded cannot be copied.
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    people.print(table)


def print_thing(thing: Mapping[str, JsonValue], *, as_json: bool) -> None:
    """Print one thing as JSON, or name and value line by line."""
    if as_json:
        print_json(dict(thing))
        return
    table = Table(show_header=False, box=None)
    for name, value in thing.items():
        table.add_row(Text(name.replace("_", " "), style="bold"), _cell(value))
    people.print(table)


def whole_id(given: str) -> str:
    """Return the id of a proposal or duty as it was given; anything else is wrong usage (exit 2)."""
    if not re.fullmatch("[0-9a-f]{32}", given):
        raise typer.BadParameter("an id is 32 hexadecimal digits")
    return given


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask before what cannot be undone. Without ``--yes`` and where nobody can see what, nothing is done (exit 2)."""
    if yes:
        return
    if as_json:
        raise typer.BadParameter("with --json nothing is shown that could be asked about; give --yes")
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask on; give --yes")
    typer.confirm(visible(question), abort=True, err=True)


def _cell(value: JsonValue) -> Text:
    """Return a value as people read it, and never as markup: it may be somebody else's text."""
    return Text(visible(_plain(value)))


def _plain(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return "\n".join(_plain(item) for item in value)
