"""The authorities of this installation: ``ca list|show|add|renew|cross|revoke``."""

from pathlib import Path
from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import AsJson, DryRun, Yes, connect, print_json, print_rows, print_thing
from deploy.client import items
from deploy.file import read_text

app = typer.Typer(no_args_is_help=True, help="Our certification authorities: roots, issuing authorities, roll-over.")

_COLUMNS = ("name", "state", "parent", "domains", "not_after", "good", "crl_number")

#: Printed by options of their own.
_LONG = ("certificates", "chain")

Basis = Annotated[str, typer.Option(help="The act or reason for it.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List every authority: which domains it issues for, until when, and how many good certificates it has."""
    with connect() as client:
        rows = items(client.get("/api/v1/ca"))
    print_rows(rows, _COLUMNS, as_json=as_json, empty="there is no authority")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Such as root, issuing, issuing-finance: see `ca list`.")],
    pem: Annotated[
        bool, typer.Option("--pem", help="Print its certificates only (PEM), also those by other roots.")
    ] = False,
    chain: Annotated[
        bool, typer.Option("--chain", help="Print only what stands between its certificates and every root (PEM).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one authority."""
    with connect() as client:
        answer = client.get(f"/api/v1/ca/{name}")
    if pem or chain:
        typer.echo(str(answer["certificates" if pem else "chain"]), nl=False)
    elif as_json:
        print_json(dict(answer))
    else:
        print_thing({one: value for one, value in answer.items() if one not in _LONG}, as_json=False)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Short: `finance` makes the authority `issuing-finance`.")],
    domain: Annotated[
        list[str], typer.Option(help="A domain whose certificates it issues; several times for several.")
    ],
    basis: Basis,
    algorithm: Annotated[str, typer.Option(help="The kind of its key.")] = "p256",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose an issuing authority of its own for domains: it cannot be taken back, and so takes two people.

    It is constrained to the host names and addresses of its domains. The worker makes it when the security
    administrator has agreed; certificates that are there stay as they are until they end.
    """
    from pki.planning_act import ADD

    domains: list[JsonValue] = [*domain]
    body: dict[str, JsonValue] = {"name": name, "domains": domains, "algorithm": algorithm, "basis": basis}
    with connect() as client:
        proposal.propose(client, act=ADD, body=body, reason=basis, yes=yes, as_json=as_json, dry_run=dry_run)


@app.command()
def renew(
    line: Annotated[str, typer.Argument(help="root, issuing, or an authority of a domain: without its generation.")],
    basis: Basis,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose another generation of an authority, with a key of its own (roll-over): it takes two people.

    The generation before it goes on with its lists until its last certificate has ended. Generations of the root
    certify each other, so that whoever knows one of them believes what is below the other.
    """
    from pki.planning_act import RENEW

    body: dict[str, JsonValue] = {"line": line, "basis": basis}
    with connect() as client:
        proposal.propose(client, act=RENEW, body=body, reason=basis, yes=yes, as_json=as_json, dry_run=dry_run)


@app.command()
def cross(
    name: Annotated[str, typer.Argument(help="Short: `linhe` makes the cross-certificate `foreign-linhe`.")],
    root: Annotated[Path, typer.Option(help="Their root (PEM): what `guosuo ca show root --pem` prints there.")],
    permit: Annotated[list[str], typer.Option(help="A name space that may stand below it; several times for several.")],
    basis: Basis,
    permit_address: Annotated[list[str] | None, typer.Option(help="A range of addresses (CIDR) as well.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="A name space inside that may not.")] = None,
    policy: Annotated[list[str] | None, typer.Option(help="A certificate policy (object identifier).")] = None,
    path_length: Annotated[int, typer.Option(help="How many authorities may stand below their root.")] = 1,
    days: Annotated[int, typer.Option(help="How long it lasts.")] = 365,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose to certify the root of another installation, within bounds: it takes two people.

    Compare the fingerprint that is shown with what they tell you on another way. They do the same with your root.
    """
    from pki.crossing_act import CROSS

    lists = {"hosts": permit, "addresses": permit_address, "excluded": exclude, "policies": policy}
    body: dict[str, JsonValue] = {member: [*(one or [])] for member, one in lists.items()}
    body |= {"name": name, "root": read_text(root), "path_length": path_length, "days": days, "basis": basis}
    with connect() as client:
        proposal.propose(client, act=CROSS, body=body, reason=basis, yes=yes, as_json=as_json, dry_run=dry_run)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="A cross-certificate, such as foreign-linhe.")],
    reason: Annotated[str, typer.Option(help="Such as superseded, key-compromise, cessation-of-operation.")],
    basis: Basis,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose to revoke a cross-certificate, for ever: the root's list tells everybody."""
    from pki.crossing_act import REVOKE

    body: dict[str, JsonValue] = {"name": name, "reason": reason, "basis": basis}
    with connect() as client:
        proposal.propose(client, act=REVOKE, body=body, reason=basis, yes=yes, as_json=as_json, dry_run=dry_run)
