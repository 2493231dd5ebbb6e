"""Evidence: ``evidence find|annotate|export|verify``; see also ``proof.py`` and ``custody.py``."""

import secrets
import shlex
from pathlib import Path
from typing import Annotated

import typer

import guosuo_vouch
from core.ledger import annotation
from core.ledger.annotation import Note
from deploy.cli import custody, proof, witness
from deploy.cli.output import AsJson, connect, print_rows, print_thing, say
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="Who did what, and the proof.")
proof.install(app)
custody.install(app)
app.add_typer(witness.app, name="witness")
app.add_typer(witness.timestamp, name="timestamp")


@app.command()
def find(
    object_: Annotated[str, typer.Option("--object", help="For example certificate:SERIAL or person:ID.")] = "",
    actor: Annotated[str, typer.Option(help="Who did it.")] = "",
    type_: Annotated[str, typer.Option("--type", help="For example pki.certificate.revoked.")] = "",
    domain: Annotated[str, typer.Option(help="Only records of this domain.")] = "",
    text: Annotated[str, typer.Option(help="Only records that hold this text, to the letter.")] = "",
    since: Annotated[str, typer.Option(help="From this time, or date (UTC), on.")] = "",
    until: Annotated[str, typer.Option(help="Before this time, or date (UTC).")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most records to show.")] = 50,
    before: Annotated[int | None, typer.Option(min=0, help="Only records with a lower number: the next page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find records, newest first."""
    with connect() as client:
        answer = client.get(
            "/api/v1/evidence",
            object=object_,
            actor=actor,
            type=type_,
            domain=domain,
            text=text,
            **{name: custody.moment(time) for name, time in (("since", since), ("until", until)) if time},
            limit=limit,
            before=before,
        )
    columns = ("sequence", "at", "type", "actor", "object", "result")
    print_rows(items(answer), columns, as_json=as_json, empty="no record matches")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Where to write the bundle (zip).")],
    record: Annotated[
        list[str], typer.Option(help="Only this record, by number or id, with its proof; repeatable.")
    ] = [],  # noqa: B006
    with_bodies: Annotated[list[str], typer.Option(help="Disclose the body of this record (id); repeatable.")] = [],  # noqa: B006
) -> None:
    """Export the whole evidence as a bundle that an auditor verifies offline with one fingerprint.

    With --record a few records only, each with a proof that it is in the log (C2SP tlog-proof).
    """
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder `{out.parent}`")
    if record and with_bodies:
        raise typer.BadParameter("bodies go with the whole bundle: give --record or --with-bodies")
    with connect() as client:
        if record:
            headers = client.save("/api/v1/evidence/extract", {"records": record}, out)
            say(f"written: {out}; its key has the fingerprint {headers['x-guosuo-fingerprint']}")
            return
        path = "/api/v1/evidence/bundle/disclosed" if with_bodies else "/api/v1/evidence/bundle"
        # Whole or absent: an auditor must not be handed half a bundle.
        headers = client.save(path, {"bodies": with_bodies} if with_bodies else {}, out)
    say(shlex.join(["guosuo-verify", str(out), "--fingerprint", headers["x-guosuo-fingerprint"]]))


@app.command()
def annotate(
    record: Annotated[str, typer.Argument(help="Id of the record (32 hexadecimal digits).")],
    text: Annotated[str, typer.Argument(help="What there is to note; it can be erased, the record of it stays.")],
    as_json: AsJson = False,
) -> None:
    """Note something about a record as the auditor: a signed record of its own, the other stays as it is."""
    with connect() as client:
        note = Note(text, secrets.token_hex(32))
        digest = annotation.digest_of(note)
        proof = client.sign(act=annotation.ACT, object_=annotation.object_of(record), digest=digest)
        answer = client.post(f"/api/v1/evidence/{record}/annotation", {**note.body(), "signed": proof})
    print_thing(answer, as_json=as_json)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A bundle.")],
    fingerprint: Annotated[str, typer.Option(help="The fingerprint, from somebody you trust.")],
    known: Annotated[Path | None, typer.Option(help="A checkpoint that you kept from an earlier bundle.")] = None,
    witness_key: Annotated[
        list[str] | None, typer.Option("--witness", help="Verifier key of a witness that must have cosigned.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle, as the auditor's own programs `guosuo-verify` and `guosuo-vouch` do."""
    arguments = [str(file), "--fingerprint", fingerprint, *(["--known", str(known)] if known else [])]
    for key in witness_key or []:
        arguments += ["--witness", key]
    raise typer.Exit(guosuo_vouch.main([*arguments, *(["--json"] if as_json else [])]))
