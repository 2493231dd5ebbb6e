"""The register: ``register apply|diff|list|show|who``."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import AsJson, connect, print_rows, print_thing
from deploy.client import items
from deploy.file import read_text

app = typer.Typer(no_args_is_help=True, help="Organisations, domains, people, systems, and who answers for them.")

_COLUMNS = {
    "organisation": ("id", "name", "tier", "parent"),
    "domain": ("id", "name", "network", "level", "ceiling", "name_space"),
    "person": ("id", "name", "organisation", "domain", "clearance"),
    "system": ("id", "name", "domain", "organisation", "in_charge_post", "operating_post"),
}


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="One reviewed YAML per province.")], as_json: AsJson = False
) -> None:
    """Load a province file; refused whole, with line numbers, when anything in it is wrong."""
    _print_change(file, dry_run=False, as_json=as_json)


@app.command()
def diff(
    file: Annotated[Path, typer.Argument(help="One reviewed YAML per province.")], as_json: AsJson = False
) -> None:
    """Show what ``apply`` would change, and change nothing."""
    _print_change(file, dry_run=True, as_json=as_json)


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="organisation, domain, person or system")] = "person",
    as_json: AsJson = False,
) -> None:
    """List what is in the register."""
    if kind not in _COLUMNS:
        raise typer.BadParameter(f"`{kind}` is none of {', '.join(_COLUMNS)}")
    with connect() as client:
        rows = items(client.get(f"/api/v1/register/{kind}"))
    print_rows(rows, _COLUMNS[kind], as_json=as_json, empty=f"no {kind} is in the register")


@app.command()
def show(
    kind: Annotated[str, typer.Argument(help="organisation, domain, person or system")],
    identifier: Annotated[str, typer.Argument(help="Its id.")],
    as_json: AsJson = False,
) -> None:
    """Show one entry of the register."""
    if kind not in _COLUMNS:
        raise typer.BadParameter(f"`{kind}` is none of {', '.join(_COLUMNS)}")
    with connect() as client:
        print_thing(client.get(f"/api/v1/register/{kind}/{identifier}"), as_json=as_json)


@app.command()
def who(
    what: Annotated[str, typer.Argument(help="A system, domain, person, address or certificate serial number.")],
    as_of: Annotated[str, typer.Option(help="At that time (RFC 3339); now when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Name who answers for something: 主管 (in charge) and 运行 (operating), as of a time."""
    with connect() as client:
        print_thing(client.get("/api/v1/register/who", what=what, at=as_of), as_json=as_json)


def _print_change(file: Path, *, dry_run: bool, as_json: bool) -> None:
    text = read_text(file)
    with connect() as client:
        answer = client.post("/api/v1/register/change", {"text": text, "dry_run": dry_run})
    print_thing(answer, as_json=as_json)
