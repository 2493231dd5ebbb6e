"""Machines that enrol over EST or CMP: ``cmp secret|list|withdraw``, their initial secrets."""

from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, connect, print_json, print_rows, print_thing
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="Machines that enrol over CMP or EST: the secrets they begin with.")

_COLUMNS = ("id", "holder", "domain", "state", "dns_names", "made_by", "ends_at")
_SHOWN = ("id", "secret", "holder", "domain", "dns_names", "addresses", "ends_at", "cmp", "est")


@app.command()
def secret(
    system: Annotated[str, typer.Argument(help="A machine's id, or a system with one application.")],
    dns_name: Annotated[
        list[str] | None, typer.Option("--dns-name", help="A host name its certificate may carry; again for more.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="An address its certificate may carry; again for more.")
    ] = None,
    hours: Annotated[int, typer.Option(help="How long it may be used.", min=1, max=720)] = 72,
    as_json: AsJson = False,
) -> None:
    """Make a secret with which one machine gets its first certificate, once. It is shown now and never again.

    Hand it to whoever runs the machine. With openssl, for example:
    openssl cmp -cmd ir -server HOST:PORT -path /.well-known/cmp/p/issuing -ref ID -secret pass:SECRET
    -trusted trust.pem -newkey new.key -subject /CN=MACHINE -certout new.pem
    """
    body: dict[str, JsonValue] = {"holder": system, "hours": hours}
    body |= {"dns_names": list(dns_name or ()), "addresses": list(address or ())}
    with connect() as client:
        made = client.post("/api/v1/device/secret", body)
    print_thing({name: made[name] for name in _SHOWN}, as_json=as_json)


@app.command("list")
def list_(
    holder: Annotated[str, typer.Option(help="Only of this machine.")] = "",
    as_json: AsJson = False,
) -> None:
    """List initial secrets: never the secret itself."""
    with connect() as client:
        found = client.get("/api/v1/device/secret", holder=holder)
    if as_json:
        print_json(found)
        return
    print_rows(items(found, "items"), _COLUMNS, as_json=False, empty="no initial secret was made")


@app.command()
def withdraw(
    identifier: Annotated[str, typer.Argument(metavar="SECRET", help="Id of a secret that was not used.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw an initial secret that was not used yet: it opens nothing any more."""
    with connect() as client:
        print_thing(client.post(f"/api/v1/device/secret/{identifier}/withdrawal", {}), as_json=as_json)
