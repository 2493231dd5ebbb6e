"""The register: ``register apply|diff|import|export|list|show|history|who|handover|sign``."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from core import durable
from core.ledger.entry import JsonValue
from core.registry import content, table
from core.registry.province import KINDS
from deploy.cli import level
from deploy.cli.output import AsJson, DryRun, Yes, confirm, connect, print_json, print_rows, print_thing, say
from deploy.client import Answer, items
from deploy.file import check_target, read_bytes, read_text

app = typer.Typer(
    no_args_is_help=True, help="Organisations, posts, domains, people, systems, and who answers for them."
)
app.add_typer(level.app, name="level")

_COLUMNS = {
    "organisation": ("id", "name", "tier", "parent"),
    "post": ("id", "title", "organisation", "holder", "basis"),
    "domain": ("id", "name", "network", "level", "ceiling", "name_space"),
    "person": ("id", "name", "organisation", "domain", "clearance"),
    "system": ("id", "name", "domain", "grade", "level", "in_charge", "operating"),
    "device": ("id", "kind", "name", "system"),
    "application": ("id", "name", "system", "device", "host"),
    "element": ("id", "name", "source", "system", "classification", "sharing"),
    "agreement": ("id", "title", "from", "to", "method", "until", "state"),
}

_KINDS = ", ".join(KINDS)

Kind = Annotated[str, typer.Argument(help=_KINDS)]
Identifier = Annotated[str, typer.Argument(help="Its id.")]
File = Annotated[
    Path,
    typer.Argument(help="One reviewed YAML: a province (`province:`), or a change set (`add:`, `change:`, `end:`)."),
]
AsOf = Annotated[str, typer.Option(help="At that time (RFC 3339, to the microsecond); now when left out.")]


@app.command()
def apply(file: File, as_json: AsJson = False) -> None:
    """Load a province or a change set; refused whole, with line, field and hint, when anything in it is wrong."""
    _change(file, dry_run=False, as_json=as_json)


@app.command()
def diff(file: File, as_json: AsJson = False) -> None:
    """Show what ``apply`` would change, each field old → new, and change nothing."""
    _change(file, dry_run=True, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header (Chinese or English); UTF-8 or GB18030.")],
    kind: Annotated[str, typer.Option(help="person or device")] = "person",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Enter people or devices from a table; refused whole, each bad row with its line and field."""
    body: dict[str, JsonValue] = {"kind": kind, "text": table.decode(read_bytes(file)), "dry_run": dry_run}
    with connect() as client:
        _print_change(client.post("/api/v1/register/import", body), as_json=as_json)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Where to write the CSV.")],
    kind: Annotated[str, typer.Option(help="person or device")] = "person",
    as_of: AsOf = "",
) -> None:
    """Write people or devices as a table that opens in a spreadsheet without running anything."""
    check_target(out)
    with connect() as client:
        text = str(client.get(f"/api/v1/register/export/{_part(kind)}", at=as_of)["text"])
    # With a byte order mark, by which spreadsheets know UTF-8.
    durable.write(out, text.encode("utf-8-sig"), mode=0o600)
    say(f"wrote {out}")


@app.command("list")
def list_(kind: Kind = "person", as_of: AsOf = "", as_json: AsJson = False) -> None:
    """List what is, or was, in the register."""
    with connect() as client:
        rows = items(client.get(f"/api/v1/register/{_known(kind)}", at=as_of))
    print_rows(rows, _COLUMNS[kind], as_json=as_json, empty=f"no {kind} is in the register")


@app.command()
def show(kind: Kind, identifier: Identifier, as_of: AsOf = "", as_json: AsJson = False) -> None:
    """Show one entry of the register as it is, or was."""
    with connect() as client:
        print_thing(client.get(f"/api/v1/register/{_known(kind)}/{_part(identifier)}", at=as_of), as_json=as_json)


@app.command()
def history(kind: Kind, identifier: Identifier, as_json: AsJson = False) -> None:
    """List every version of an entry: from when to when, who changed what, and the record of it."""
    with connect() as client:
        rows = items(client.get(f"/api/v1/register/history/{_known(kind)}/{_part(identifier)}"))
    print_rows(rows, ("since", "until", "actor", "changed", "record"), as_json=as_json, empty="no version")


@app.command()
def who(
    what: Annotated[
        str,
        typer.Argument(help="A system, domain, person, device, data element, address or certificate serial number."),
    ],
    as_of: AsOf = "",
    as_json: AsJson = False,
) -> None:
    """Name who answers for something: 主管 (in charge) and 运行 (operating), as of a time, with the appointing acts."""
    with connect() as client:
        print_thing(client.get("/api/v1/register/who", what=what, at=as_of), as_json=as_json)


@app.command()
def handover(
    post: Annotated[str, typer.Argument(help="The post's id.")],
    to: Annotated[str, typer.Option(help="Who holds it from then on (id in the register).")],
    basis: Annotated[str, typer.Option(help="The appointing act.")],
    at: Annotated[str, typer.Option(help="Since when (RFC 3339); now when left out, never in the future.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Hand a post over: the old holding ends and the new one begins at the same moment; both stay on record."""
    path, body = f"/api/v1/register/handover/{_part(post)}", {"to": to, "basis": basis, "since": at}
    with connect() as client:
        planned = client.post(path, {**body, "dry_run": True})
        if not dry_run:
            if not as_json:
                print_thing(planned, as_json=False)
            confirm(f"Hand `{post}` over to `{to}`?", yes=yes, as_json=as_json)
            planned = client.post(path, body)
    print_thing(planned, as_json=as_json)


@app.command()
def sign(
    identifier: Annotated[str, typer.Argument(help="The agreement's id.")], yes: Yes = False, as_json: AsJson = False
) -> None:
    """Sign a sharing agreement with your own key, for the side whose post you hold; shown before you are asked."""
    with connect() as client:
        shown = client.get(f"/api/v1/register/agreement/{_part(identifier)}")
        if not as_json:
            print_thing(shown, as_json=False)
        confirm("Sign this?", yes=yes, as_json=as_json)
        proof = client.sign(act=content.SIGN, object_=f"agreement:{identifier}", digest=str(shown["digest"]))
        answer = client.post(f"/api/v1/register/agreement/{_part(identifier)}/signature", {"signed": proof})
    print_thing(answer, as_json=as_json)


def _part(identifier: str) -> str:
    """Return what stands for an id in a path, whatever it holds."""
    return quote(identifier, safe="")


def _known(kind: str) -> str:
    if kind not in _COLUMNS:
        raise typer.BadParameter(f"`{kind}` is none of {_KINDS}")
    return kind


def _change(file: Path, *, dry_run: bool, as_json: bool) -> None:
    text = read_text(file)
    with connect() as client:
        answer = client.post("/api/v1/register/change", {"text": text, "dry_run": dry_run})
    _print_change(answer, as_json=as_json)


def _print_change(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(dict(answer))
        return
    print_thing({name: value for name, value in answer.items() if name != "fields"}, as_json=False)
    fields = answer["fields"]
    rows = [
        {"entry": entry, "field": field, "old": pair[0], "new": pair[1]}
        for entry, differs in (fields.items() if isinstance(fields, dict) else ())
        for field, pair in differs.items()
    ]
    if rows:
        print_rows(rows, ("entry", "field", "old", "new"), as_json=False, empty="")
