"""Coming back: ``backup run|list|restore`` and ``drill run``."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import AsJson, connect, print_json, print_rows, print_thing, say
from deploy.client import items
from deploy.file import check_target

app = typer.Typer(no_args_is_help=True, help="Recovery points and their restore.")
drill = typer.Typer(no_args_is_help=True, help="Prove that we can come back.")

Repository = Annotated[Path, typer.Option(help="The backup repository.")]
Identity = Annotated[Path, typer.Option(help="The recovery identity (age), kept outside the site.")]


@app.command("run")
def run(as_json: AsJson = False) -> None:
    """Make a recovery point over store, evidence, token and configuration, encrypted to the recovery identity."""
    with connect() as client:
        print_thing(client.post("/api/v1/backup/point", {}), as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List recovery points; one that was never restored is shown as unproven."""
    with connect() as client:
        rows = items(client.get("/api/v1/backup/point"))
    print_rows(rows, ("id", "at", "state", "proven", "ledger_size", "size"), as_json=as_json, empty="no recovery point")


@app.command()
def restore(
    into: Annotated[Path, typer.Option(help="A fresh, empty folder that becomes the restored state.")],
    repository: Repository,
    identity: Identity,
    point: Annotated[str, typer.Argument(help="The recovery point; the newest sealed one when left out.")] = "",
    store: Annotated[str, typer.Option(help="An empty PostgreSQL database, for a point with such a store.")] = "",
    witness: Annotated[
        Path | None, typer.Option(help="A signed checkpoint kept elsewhere: the mirrored evidence must contain it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a point and reconcile it with the mirrored evidence: what was revoked later stays revoked."""
    from deploy import recovery

    outcome = recovery.restore(
        repository=repository, identity=identity, point=point, into=into, store=store, witness=witness
    )
    print_thing(outcome, as_json=as_json)


@drill.command("run")
def run_drill(
    repository: Repository,
    identity: Identity,
    point: Annotated[str, typer.Option(help="The recovery point; the newest sealed one when left out.")] = "",
    report: Annotated[Path, typer.Option(help="Where to write the report (HTML).")] = Path("drill.html"),
    as_json: AsJson = False,
) -> None:
    """Restore in an isolated place, check as an outsider would, and measure RTO and RPO."""
    from deploy import recovery

    check_target(report)
    outcome = recovery.drill(repository=repository, identity=identity, point=point, report=report)
    if as_json:
        print_json(outcome)
    else:
        print_rows(recovery.check_rows(outcome), ("name", "ok", "detail"), as_json=False, empty="no check ran")
        say(f"RTO {outcome['rto_seconds']} s · RPO {outcome['rpo_seconds']} s · report {outcome['report']}")
    if not outcome["ok"]:
        # No verdict is no finding: the drill is not available, and the archive neither good nor bad.
        raise typer.Exit(4 if outcome["verdict"] == "error" else 1)
