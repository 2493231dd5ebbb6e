"""Notices: ``notify test|list``."""

from typing import Annotated

import typer

from deploy.cli.output import AsJson, connect, print_rows
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="Where duties go when they leave the building: mail, webhook, syslog.")


@app.command("test")
def prove(
    to: Annotated[str, typer.Option(help="A post; the one that operates the site when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Send a test by every configured way now, and show what each answered. Exit status 1 when one failed."""
    with connect() as client:
        rows = items(client.post("/api/v1/notice/test", {"post": to}))
    print_rows(rows, ("channel", "ok", "said", "message"), as_json=as_json, empty="no way out is configured")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most messages to list.")] = 100, as_json: AsJson = False
) -> None:
    """List what left and what did not, the newest first."""
    columns = ("id", "channel", "post", "count", "urgent", "state", "attempts", "queued_at", "receipt", "error")
    with connect() as client:
        rows = items(client.get("/api/v1/notice", limit=limit))
    print_rows(rows, columns, as_json=as_json, empty="no message was written")
