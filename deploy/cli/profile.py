"""Certificate profiles: ``profile show|list|check|submit|rollback``."""

from pathlib import Path
from typing import Annotated

import typer

from core.errors import Rejected
from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import AsJson, DryRun, Yes, connect, print_json, print_rows, say
from deploy.client import ServiceClient, items
from deploy.file import read_text

app = typer.Typer(no_args_is_help=True, help="What may be issued: profiles are reviewed data, changed by two people.")

_COLUMNS = ("name", "title", "days", "levels", "networks", "keys", "purposes")

Basis = Annotated[str, typer.Option(help="The act or reason by which they change.")]
Text = Annotated[Path, typer.Argument(help="The whole set, as `profile show --text` prints it.")]


@app.command()
def show(
    digest: Annotated[str, typer.Argument(help="Of earlier profiles, or its beginning; none: those in force.")] = "",
    text: Annotated[bool, typer.Option("--text", help="Print the reviewed text itself.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the profiles in force, or earlier ones."""
    with connect() as client:
        answer = client.get("/api/v1/profile", digest=digest)
    if text:
        typer.echo(str(answer["text"]), nl=False)
        return
    if as_json:
        print_json(dict(answer))
        return
    print_rows(items(answer), _COLUMNS, as_json=False, empty="")
    say(f"profiles {answer['version']}, digest {answer['digest']}")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List which profiles were in force since when, and who agreed on them."""
    with connect() as client:
        rows = items(client.get("/api/v1/profile/history"))
    print_rows(rows, ("version", "digest", "since", "proposer", "approver", "basis"), as_json=as_json, empty="")


@app.command()
def check(file: Text, as_json: AsJson = False) -> None:
    """Check profiles: what is wrong with them, and what they would change."""
    with connect() as client:
        answer = client.post("/api/v1/profile/check", {"text": read_text(file)})
    if as_json:
        print_json(dict(answer))
    else:
        for line in _lines(answer["changes"]) or ["nothing would change"]:
            say(line)
    if faults := _lines(answer["faults"]):
        raise Rejected("; ".join(faults), reason="faulty-profiles")


@app.command()
def submit(file: Text, basis: Basis, dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False) -> None:
    """Propose profiles: shows what changes; the security administrator puts them into force."""
    with connect() as client:
        _propose(client, read_text(file), basis, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def rollback(
    digest: Annotated[str, typer.Argument(help="Of earlier profiles, or its beginning: see `profile list`.")],
    basis: Basis,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose to go back to earlier profiles: by two people, as every change."""
    with connect() as client:
        text = str(client.get("/api/v1/profile", digest=digest)["text"])
        _propose(client, text, basis, dry_run=dry_run, yes=yes, as_json=as_json)


def _propose(client: ServiceClient, text: str, basis: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from pki.profile import ACTIVATE

    seen = client.get("/api/v1/profile")["digest"]
    body: dict[str, JsonValue] = {"text": text, "from": seen, "basis": basis}
    proposal.propose(client, act=ACTIVATE, body=body, reason=basis, yes=yes, as_json=as_json, dry_run=dry_run)


def _lines(value: JsonValue) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
