"""Certificates: ``cert csr|issue|request|list|show|hold|release|revoke``, and ``key list``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from core import durable
from core.errors import Rejected
from core.ledger.entry import JsonValue
from deploy import login
from deploy.card import Card
from deploy.carduri import is_uri
from deploy.cli import revoking
from deploy.cli.output import AsJson, DryRun, Yes, confirm, connect, print_rows, print_thing, progress, say
from deploy.client import items
from deploy.file import check_target

app = typer.Typer(no_args_is_help=True, help="Certificates: request, issue, show, hold, release, revoke.")
keys = typer.Typer(no_args_is_help=True, help="The keys in the token.")

_COLUMNS = ("serial", "holder", "profile", "domain", "state", "not_after")


@app.command()
def csr(
    name: Annotated[str, typer.Argument(help="Whom it is for: the id in the register.")],
    key: Annotated[
        str,
        typer.Option(
            help="Where to write the new private key (PEM, readable by you alone), or a PKCS#11 URI of one on a token."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where to write the certification request (PEM).")],
) -> None:
    """Make a P-256 key and a certification request; the key never leaves this machine, or its token."""
    from deploy.request import make_request

    if is_uri(key):
        check_target(out)
        card = Card(key, login.home())
        card.prepare()
        durable.write(out, card.request(name), mode=0o644)
    else:
        make_request(name, key=Path(key), out=out)
    say(f"the key is in {key}, the request in {out}")


@app.command()
def issue(
    holder: Annotated[str, typer.Argument(help="Id of the person or device in the register.")],
    csr: Annotated[Path, typer.Option(help="Certification request (PEM or DER).")],
    out: Annotated[Path, typer.Option(help="Where to write the certificate with its chain (PEM).")],
    profile: Annotated[str, typer.Option(help="person, gateway, sensor or application")] = "person",
    dns_name: Annotated[list[str] | None, typer.Option(help="A host name inside the domain's name space.")] = None,
    lifetime: Annotated[int | None, typer.Option(help="Seconds, when shorter than the profile's.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Issue a certificate; its subject and names come from the register, never from the request alone."""
    from deploy.csrfile import read_request

    body: dict[str, JsonValue] = {
        "csr": read_request(csr),
        "profile": profile,
        "holder": holder,
        "dns_names": list(dns_name or ()),
    }
    if lifetime is not None:
        body["lifetime_seconds"] = lifetime
    check_target(out)
    with connect() as client:
        answer = client.post("/api/v1/certificate", body)
    durable.write(out, str(answer["chain"]).encode("ascii"), mode=0o644)
    print_thing({name: value for name, value in answer.items() if name != "chain"}, as_json=as_json)


@app.command()
def request(
    batch: Annotated[
        Path,
        typer.Option(
            help="A CSV file with the columns holder, csr (a file beside it), and if needed profile, dns_names, "
            "lifetime; or a folder of requests named HOLDER.csr."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the certificates, each named as its request.")],
    profile: Annotated[str, typer.Option(help="Profile where the CSV names none, and for a folder.")] = "person",
    as_json: AsJson = False,
) -> None:
    """Issue many certificates at once. Run again after an interruption: nothing is issued twice."""
    from deploy import batchfile

    rows: list[dict[str, JsonValue]] = []
    with connect() as client:
        asked = batchfile.read(batch, profile=profile)
        targets = [out / f"{one.name}.pem" for one in asked]
        for target in targets:
            check_target(target)
        for target, one, item in zip(targets, asked, batchfile.send(client, asked, progress=progress), strict=True):
            if chain := str(item.pop("chain")):
                durable.write(target, chain.encode("ascii"), mode=0o644)
            rows.append({"request": one.name, **item})
    print_rows(
        rows,
        ("request", "holder", "serial", "repeated", "reason", "detail"),
        as_json=as_json,
        empty="nothing was asked for",
    )
    if refused := sum(row["reason"] != "" for row in rows):
        raise Rejected(
            f"{refused} of {len(rows)} requests were refused", hint="the others are issued; correct and repeat"
        )


@app.command("list")
def list_(
    holder: Annotated[str, typer.Option(help="Only of this holder.")] = "",
    domain: Annotated[str, typer.Option(help="Only in this domain.")] = "",
    profile: Annotated[str, typer.Option(help="Only of this profile.")] = "",
    state: Annotated[str, typer.Option(help="Only good, held or revoked ones.")] = "",
    before: Annotated[str, typer.Option(help="Only what ends before, for example 2026-12-25T00:00:00+08:00.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many; those after them are said.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List certificates, oldest first."""
    asked = {"holder": holder, "domain": domain, "profile": profile, "state": state, "before": before}
    rows: list[Mapping[str, JsonValue]] = []
    with connect() as client:
        while True:
            answer = client.get(
                "/api/v1/certificate", **asked, after=str(rows[-1]["serial"]) if rows else "", limit=1000
            )
            rows += items(answer)
            if not answer["next"] or len(rows) >= limit:
                break
    print_rows(rows[:limit], _COLUMNS, as_json=as_json, empty="no such certificate has been issued")
    if (answer["next"] or len(rows) > limit) and not as_json:
        say(f"there are more: these are the oldest {limit}")


@app.command()
def show(serial: Annotated[str, typer.Argument(help="Serial number, 40 digits.")], as_json: AsJson = False) -> None:
    """Show one certificate and its state."""
    with connect() as client:
        print_thing(client.get(f"/api/v1/certificate/{serial}"), as_json=as_json)


@app.command()
def revoke(
    serial: Annotated[str, typer.Argument(help="Serial number, 40 digits.")] = "",
    list_: Annotated[Path | None, typer.Option("--list", help="A file of serial numbers, one on a line.")] = None,
    key: Annotated[str, typer.Option(help="Every certificate over this key (SHA-256 of its SPKI).")] = "",
    department: Annotated[str, typer.Option(help="Every certificate of this organisation's people and devices.")] = "",
    profile: Annotated[str, typer.Option(help="Every certificate of this profile; joined with the others.")] = "",
    reason: Annotated[str, typer.Option(help="An RFC 5280 reason, for example key-compromise.")] = "unspecified",
    follow: Annotated[str, typer.Option(help="Show how far an order is until it is done, by its digest.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a certificate, or many: refused everywhere from the next request on. There is no way back.

    More than 20 at once take another person, who approves: then this ends with 3. --follow shows how far it is then.
    """
    chosen = {"key": key, "department": department, "profile": profile}
    many = list_ is not None or any(chosen.values())
    if (bool(serial), many, bool(follow)).count(True) > 1:
        raise typer.BadParameter("give one serial number, or what chooses many, or an order to follow")
    if follow:
        revoking.follow(follow, as_json=as_json)
        return
    if many:
        revoking.revoke_many(list_, chosen, reason, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    if not serial or dry_run:
        raise typer.BadParameter("give a serial number, or --list, --key, --department, --profile (with --dry-run)")
    with connect() as client:
        found = client.get(f"/api/v1/certificate/{serial}")
        confirm(
            f"revoke {found['profile']} certificate of {found['holder']} in {found['domain']}, for ever?",
            yes=yes,
            as_json=as_json,
        )
        answer = client.post(f"/api/v1/certificate/{serial}/revocation", {"reason": reason})
    print_thing(answer, as_json=as_json)


@app.command()
def hold(
    serial: Annotated[str, typer.Argument(help="Serial number, 40 digits.")],
    until: Annotated[str, typer.Option(help="When it ends by itself, for example 2026-12-01T08:00:00+08:00.")],
    message: Annotated[str, typer.Option(help="Why, for those who may read the record; at most 400 characters.")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a certificate on hold: refused everywhere from the next request on, until its end or `cert release`."""
    with connect() as client:
        found = client.get(f"/api/v1/certificate/{serial}")
        confirm(f"hold {found['profile']} certificate of {found['holder']} until {until}?", yes=yes, as_json=as_json)
        answer = client.post(f"/api/v1/certificate/{serial}/hold", {"until": until, "message": message})
    print_thing(answer, as_json=as_json)


@app.command()
def release(
    serial: Annotated[str, typer.Argument(help="Serial number, 40 digits.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Release a certificate from hold: good again everywhere. What is revoked stays so."""
    with connect() as client:
        found = client.get(f"/api/v1/certificate/{serial}")
        confirm(f"release {found['profile']} certificate of {found['holder']}?", yes=yes, as_json=as_json)
        answer = client.post(f"/api/v1/certificate/{serial}/release", {})
    print_thing(answer, as_json=as_json)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys in the token with the attributes read back from it."""
    with connect() as client:
        rows = items(client.get("/api/v1/key"))
    columns = ("label", "algorithm", "purpose", "extractable", "sensitive", "spki_sha256")
    print_rows(rows, columns, as_json=as_json, empty="the token holds no key")
