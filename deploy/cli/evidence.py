"""Evidence: ``evidence find|annotate|export|verify``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

import guosuo_verify
from core import durable
from core.ledger import annotation
from deploy.cli import proof, witness
from deploy.cli.output import AsJson, connect, print_rows, print_thing, say
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="Who did what, and the proof.")
proof.install(app)
app.add_typer(witness.app, name="witness")
app.add_typer(witness.timestamp, name="timestamp")


@app.command()
def find(
    object_: Annotated[str, typer.Option("--object", help="For example certificate:SERIAL or person:ID.")] = "",
    actor: Annotated[str, typer.Option(help="Who did it.")] = "",
    type_: Annotated[str, typer.Option("--type", help="For example pki.certificate.revoked.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most records to show.")] = 50,
    before: Annotated[int | None, typer.Option(min=0, help="Only records with a lower number: the next page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find records, newest first."""
    with connect() as client:
        answer = client.get("/api/v1/evidence", object=object_, actor=actor, type=type_, limit=limit, before=before)
    columns = ("sequence", "at", "type", "actor", "object", "result")
    print_rows(items(answer), columns, as_json=as_json, empty="no record matches")


@app.command()
def export(out: Annotated[Path, typer.Argument(help="Where to write the bundle (zip).")]) -> None:
    """Export the whole evidence as a bundle that an auditor verifies offline with one fingerprint."""
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder `{out.parent}`")
    with connect() as client:
        response = client.download("/api/v1/evidence/bundle", {})
    # Whole or absent: an auditor must not be handed half a bundle.
    durable.write(out, response.content)
    fingerprint = response.headers["x-guosuo-fingerprint"]
    say(shlex.join(["guosuo-verify", str(out), "--fingerprint", fingerprint]))


@app.command()
def annotate(
    record: Annotated[str, typer.Argument(help="Id of the record (32 hexadecimal digits).")],
    text: Annotated[str, typer.Argument(help="What there is to note; it can be erased, the record of it stays.")],
    as_json: AsJson = False,
) -> None:
    """Note something about a record as the auditor: a signed record of its own, the other stays as it is."""
    with connect() as client:
        digest = annotation.digest_of(text)
        proof = client.sign(act=annotation.ACT, object_=annotation.object_of(record), digest=digest)
        answer = client.post(f"/api/v1/evidence/{record}/annotation", {"text": text, "signed": proof})
    print_thing(answer, as_json=as_json)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A bundle.")],
    fingerprint: Annotated[str, typer.Option(help="The fingerprint, from somebody you trust.")],
    known: Annotated[Path | None, typer.Option(help="A checkpoint that you kept from an earlier bundle.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle, as the auditor's own program `guosuo-verify` does."""
    arguments = [str(file), "--fingerprint", fingerprint, *(["--known", str(known)] if known else [])]
    raise typer.Exit(guosuo_verify.main([*arguments, *(["--json"] if as_json else [])]))
