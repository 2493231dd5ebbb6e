"""Taking over an authority that runs elsewhere: ``takeover plan|propose|update|list|finish``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import AsJson, Yes, connect, print_json, print_rows, progress, say, warn
from deploy.client import items

if TYPE_CHECKING:
    from deploy.takingover import Report

app = typer.Typer(
    no_args_is_help=True, help="Take over a certification authority that runs elsewhere (OpenSSL's, EJBCA's)."
)

Folder = Annotated[Path, typer.Argument(help="The folder that the old authority left; see the runbook takeover.md.")]
Name = Annotated[str, typer.Option("--name", help="Short: `legacy` becomes the authority `issuing-legacy`.")]
Key = Annotated[str, typer.Option("--key", help="The label of its key in our token, imported beforehand.")]
Domains = Annotated[list[str] | None, typer.Option("--domain", help="A domain that it issues for from then on.")]
Map = Annotated[Path | None, typer.Option("--map", help="Whose certificates are whose, where their names do not say.")]
Basis = Annotated[str, typer.Option(help="The act or reason for it.")]
Full = Annotated[bool, typer.Option("--all", help="Show every certificate, also those that are here already.")]

_COLUMNS = ("place", "serial", "state", "verdict", "holder", "why")


@app.command()
def plan(
    folder: Folder,
    name: Name,
    key: Key,
    domain: Domains = None,
    map_: Map = None,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """Show what would come over, what would not and why; change nothing. A second run after it shows nothing new."""
    from deploy import takingover

    with connect() as client:
        _found, report = takingover.look(client, folder, (name, key, domain or []), map_, progress)
    if as_json:
        print_json(report.to_json())
        return
    _tell(report, full=full)


@app.command()
def propose(
    folder: Folder,
    name: Name,
    key: Key,
    basis: Basis,
    domain: Domains = None,
    map_: Map = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring the plan and propose it: the security administrator agrees on its digest, and the worker carries it out.

    It cannot be undone: the key in our token signs as this authority, and its certificates open doors here.
    """
    _propose(folder, (name, key, domain or []), map_, basis, yes=yes, as_json=as_json)


@app.command()
def update(
    folder: Folder,
    name: Name,
    key: Key,
    basis: Basis,
    domain: Domains = None,
    map_: Map = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring what the old authority issued and revoked since, while both run: the same act, for what is new."""
    with connect() as client:
        known = [str(one["authority"]) for one in items(client.get("/api/v1/takeover"))]
    if f"issuing-{name}" not in known:
        raise typer.BadParameter(f"`issuing-{name}` was not taken over yet: `guosuo takeover propose`")
    _propose(folder, (name, key, domain or []), map_, basis, yes=yes, as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List what was taken over, which list numbers are whose, and how far each plan is."""
    with connect() as client:
        answer = client.get("/api/v1/takeover")
    if as_json:
        print_json(dict(answer))
        return
    columns = ("authority", "state", "key", "domains", "number", "ours", "begun_at", "finished_at")
    print_rows(items(answer), columns, as_json=False, empty="nothing was taken over")
    of_plan = ("digest", "authority", "state", "total", "done", "entered", "listed", "changed", "left")
    print_rows(items(answer, "plans"), of_plan, as_json=False, empty="there is no plan")


@app.command()
def finish(
    authority: Annotated[str, typer.Argument(help="Such as issuing-legacy: see `takeover list`.")],
    number: Annotated[int, typer.Option(help="The number of the old authority's last list (decimal).")],
    basis: Basis,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose the end of the parallel time: the old authority signs nothing any more, its addresses lead here."""
    from pki.takeover.act import FINISH

    body: dict[str, JsonValue] = {"authority": authority, "number": number, "basis": basis}
    with connect() as client:
        proposal.propose(client, act=FINISH, body=body, reason=basis, yes=yes, as_json=as_json)


def _propose(
    folder: Path, asked: tuple[str, str, list[str]], map_: Path | None, basis: str, *, yes: bool, as_json: bool
) -> NoReturn:
    from deploy import takingover
    from pki.takeover.act import CARRY

    with connect() as client:
        found, report = takingover.look(client, folder, asked, map_, progress)
        if not as_json:
            _tell(report, full=False)
        if report.is_blocked:
            say("what is blocked must be put right first; nothing was proposed")
            raise typer.Exit(1)
        if not takingover.is_news(client, report):
            say("nothing is new: nothing was proposed")
            raise typer.Exit
        takingover.bring(client, found, report, progress)
        body: dict[str, JsonValue] = {"digest": report.digest, "basis": basis}
        proposal.propose(client, act=CARRY, body=body, reason=basis, yes=yes, as_json=as_json)


def _tell(report: "Report", *, full: bool) -> None:
    shown = [row for row in report.rows if full or row["verdict"] != "known"]
    print_rows(shown, _COLUMNS, as_json=False, empty="everything is here as it is there")
    for note in report.notes:
        warn("note", note)
    for one in report.profiles:
        warn("profile", f"`{one}` stands for none of ours: its certificates are kept as `taken-over`")
    told = ", ".join(f"{count} {word}" for word, count in sorted(report.counts.items()))
    say(f"{report.header.authority}: {told or 'no certificate'}")
    say(f"its lists bear numbers up to {report.header.number}; ours go on from {report.next_number}")
    say(f"plan {report.digest}")
