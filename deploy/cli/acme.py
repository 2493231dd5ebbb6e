"""Machines that fetch certificates by themselves (RFC 8555): ``acme key|list|withdraw|close|hasten``."""

from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, DryRun, Yes, confirm, connect, print_json, print_rows, print_thing, say
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="Machines that fetch and renew certificates by themselves (ACME).")

_KEYS = ("id", "holder", "domain", "state", "made_by", "ends_at", "account")
_ACCOUNTS = ("id", "holder", "domain", "status", "key", "made_at")


@app.command()
def key(
    system: Annotated[str, typer.Argument(help="A system with one application, or the machine's own id.")],
    hours: Annotated[int | None, typer.Option(help="How long it may be used.", min=1, max=720)] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key that binds one ACME account to an application. It is shown now and never again.

    Hand it to whoever runs the machine. With certbot, for example:
    certbot certonly --server DIRECTORY --eab-kid ID --eab-hmac-key KEY --standalone -d HOST
    """
    body: dict[str, JsonValue] = {"holder": system}
    if hours is not None:
        body["hours"] = hours
    with connect() as client:
        made = client.post("/api/v1/acme/key", body)
    print_thing(
        {name: made[name] for name in ("directory", "id", "key", "holder", "domain", "ends_at")}, as_json=as_json
    )


@app.command("list")
def list_(
    holder: Annotated[str, typer.Option(help="Only of this machine.")] = "",
    as_json: AsJson = False,
) -> None:
    """List keys and the accounts that were bound with them."""
    with connect() as client:
        found = client.get("/api/v1/acme", holder=holder)
    if as_json:
        print_json(found)
        return
    print_rows(items(found, "keys"), _KEYS, as_json=False, empty="no key was made")
    print_rows(items(found, "accounts"), _ACCOUNTS, as_json=False, empty="no account was bound")


@app.command()
def withdraw(
    identifier: Annotated[str, typer.Argument(metavar="KEY", help="Id of a key that was not used.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw a key that was not used yet: it binds nobody any more."""
    with connect() as client:
        print_thing(client.post(f"/api/v1/acme/key/{identifier}/withdrawal", {}), as_json=as_json)


@app.command()
def close(
    identifier: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id of the account.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Close an account for ever: it gets no certificate any more. What it has is revoked with `guosuo cert revoke`."""
    confirm(f"close the account {identifier} for ever?", yes=yes, as_json=as_json)
    with connect() as client:
        print_thing(client.post(f"/api/v1/acme/account/{identifier}/closing", {}), as_json=as_json)


@app.command()
def hasten(
    serials: Annotated[list[str], typer.Argument(help="Serial numbers of the certificates concerned.")],
    within: Annotated[int, typer.Option(help="Within how many hours.", min=1, max=720)] = 24,
    explanation: Annotated[str, typer.Option(help="Address of a page that says why.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have certificates renewed soon, whatever their age, as before many are revoked (RFC 9773). All of them, or none.

    A client that asks for renewal information learns it within six hours.
    """
    with connect() as client:
        holders = sorted({str(client.get(f"/api/v1/certificate/{serial}")["holder"]) for serial in serials})
        if dry_run:
            say(f"{len(set(serials))} certificates of {', '.join(holders)} would be renewed within {within} hours")
            return
        confirm(
            f"have {len(set(serials))} certificates of {', '.join(holders)} renewed within {within} hours?",
            yes=yes,
            as_json=as_json,
        )
        body: dict[str, JsonValue] = {"serials": serials, "within_hours": within, "explanation": explanation}
        print_thing(client.post("/api/v1/acme/renewal", body), as_json=as_json)
