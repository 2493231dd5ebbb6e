"""Protection levels: ``register level list|show|set``."""

from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import AsJson, DryRun, Yes, connect, print_json, print_rows, say
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="What a protection level asks, and setting a domain's level.")

_NAME = "register.level.set"


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List every domain with its level."""
    with connect() as client:
        rows = items(client.get("/api/v1/register/domain"))
    print_rows(rows, ("id", "name", "network", "level", "ceiling", "in_charge"), as_json=as_json, empty="no domain")


@app.command()
def show(
    level: Annotated[int, typer.Argument(help="1 to 5.", min=1, max=5)],
    as_json: AsJson = False,
) -> None:
    """Show what a level asks, where each number comes from, and whether that is a standard or only practice."""
    with connect() as client:
        answer = client.get(f"/api/v1/level/{level}")
    if as_json:
        print_json(dict(answer))
        return
    print_rows(items(answer), ("title", "value", "unit", "basis", "source"), as_json=False, empty="")
    say(f"level table {answer['version']}")


@app.command("set")
def set_(
    domain: Annotated[str, typer.Argument(help="The domain's id.")],
    level: Annotated[int, typer.Argument(help="1 to 5.", min=1, max=5)],
    basis: Annotated[str, typer.Option(help="The act by which the level was decided.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; signed, and kept in the evidence.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose a domain's level: shows what becomes stricter and for whom; the domain's officer in charge decides."""
    with connect() as client:
        seen = client.get(f"/api/v1/register/domain/{domain}")["level"]
        body: dict[str, JsonValue] = {"domain": domain, "from": seen, "level": level, "basis": basis}
        proposal.propose(
            client, act=_NAME, body=body, reason=reason or basis, yes=yes, as_json=as_json, dry_run=dry_run
        )
