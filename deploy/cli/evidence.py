"""Evidence: ``evidence find|export|verify``."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import AsJson, connect, items, print_rows, say

app = typer.Typer(no_args_is_help=True, help="Who did what, and the proof.")


@app.command()
def find(
    object_: Annotated[str, typer.Option("--object", help="For example certificate:SERIAL or person:ID.")] = "",
    actor: Annotated[str, typer.Option(help="Who did it.")] = "",
    type_: Annotated[str, typer.Option("--type", help="For example pki.certificate.revoked.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Find records, newest first."""
    with connect() as client:
        answer = client.get("/api/v1/evidence", object=object_, actor=actor, type=type_, limit=limit)
    columns = ("sequence", "at", "type", "actor", "object", "result")
    print_rows(items(answer), columns, as_json=as_json, empty="no record matches")


@app.command()
def export(out: Annotated[Path, typer.Argument(help="Where to write the bundle (zip).")]) -> None:
    """Export the whole evidence as a bundle that an auditor verifies offline with one fingerprint."""
    with connect() as client:
        response = client.download("/api/v1/evidence/bundle", {})
    out.write_bytes(response.content)
    fingerprint = response.headers["x-guosuo-fingerprint"]
    say(f"guosuo-verify {out} --fingerprint {fingerprint}")
