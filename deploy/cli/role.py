"""Roles: ``role appoint|assign|replace|withdraw|list``."""

from pathlib import Path
from typing import Annotated

import typer

from core import durable
from deploy.cli import proposal
from deploy.cli.output import AsJson, DryRun, Yes, confirm, connect, print_rows, print_thing
from deploy.client import items
from deploy.file import check_target, read_text

_COLUMNS = ("person", "domain", "role", "since", "giver")

app = typer.Typer(no_args_is_help=True, help="The three administrators and the other roles.")


@app.command()
def appoint(
    person: Annotated[str, typer.Argument(help="Id in the register.")],
    role: Annotated[str, typer.Argument(help="system-administrator, security-administrator or auditor")],
    csr: Annotated[Path, typer.Option(help="Certification request over the person's own key (PEM).")],
    out: Annotated[Path, typer.Option(help="Where to write the first certificate (PEM, with chain).")],
    as_json: AsJson = False,
) -> None:
    """Appoint one of the three administrators and issue the first certificate (bootstrap only)."""
    body = {"person": person, "role": role, "csr": read_text(csr)}
    check_target(out)
    with connect() as client:
        answer = client.post("/api/v1/role/appointment", body)
    durable.write(out, str(answer["chain"]).encode("ascii"), mode=0o644)
    print_thing({name: value for name, value in answer.items() if name != "chain"}, as_json=as_json)


@app.command()
def assign(
    person: Annotated[str, typer.Argument(help="Id in the register.")],
    role: Annotated[str, typer.Argument(help="For example registration-officer, analyst, recovery-operator.")],
    domain: Annotated[str, typer.Option(help="The security domain; `site` for the installation itself.")] = "site",
    as_json: AsJson = False,
) -> None:
    """Give a person a role (security administrators only)."""
    with connect() as client:
        answer = client.post("/api/v1/role/assignment", {"person": person, "role": role, "domain": domain})
    print_thing(answer, as_json=as_json)


@app.command()
def replace(
    role: Annotated[str, typer.Argument(help="system-administrator, security-administrator or auditor")],
    reason: Annotated[str, typer.Option("--reason", help="Why; signed, and kept in the evidence.")],
    incoming: Annotated[str, typer.Option(help="Who comes (id in the register).")] = "",
    outgoing: Annotated[str, typer.Option(help="Who goes (id in the register).")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose that one of the three administrators comes, goes or is replaced: another administrator decides."""
    given = {"role": role, "incoming": incoming, "outgoing": outgoing}
    body = {name: value for name, value in given.items() if value}
    with connect() as client:
        act = "role.administrator.replace"
        proposal.propose(client, act=act, body=body, reason=reason, yes=yes, as_json=as_json, dry_run=dry_run)


@app.command()
def withdraw(
    person: Annotated[str, typer.Argument(help="Id in the register.")],
    role: Annotated[str, typer.Argument(help="The role to end now; one of the three administrators: `role replace`.")],
    domain: Annotated[str, typer.Option(help="The security domain; `site` for the installation itself.")] = "site",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End a role now (security administrators only); what it was, stays in the history."""
    confirm(f"{person} will no longer be {role} in {domain}. End it?", yes=yes, as_json=as_json)
    with connect() as client:
        body = {"person": person, "role": role, "domain": domain}
        rows = items(client.post("/api/v1/role/withdrawal", body))
    print_rows(rows, _COLUMNS, as_json=as_json, empty=f"{person} holds no role any more")


@app.command("list")
def list_(
    as_of: Annotated[str, typer.Option("--as-of", help="At which time (RFC 3339); now when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """List every role held, with its giver, now or as of a time."""
    with connect() as client:
        rows = items(client.get("/api/v1/role", at=as_of))
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no role was held")
