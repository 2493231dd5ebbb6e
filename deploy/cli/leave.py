"""Leaving (离岗) and what somebody holds: ``register leave``, ``register holdings``."""

from collections.abc import Mapping
from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import AsJson, DryRun, Yes, confirm, connect, print_json, print_rows, say
from deploy.client import Answer, items

_COLUMNS = ("kind", "identifier", "title", "domain", "successor")


def install(app: typer.Typer) -> None:
    """Add the commands to the noun ``register``."""
    app.command()(leave)
    app.command()(holdings)


def holdings(
    kind: Annotated[str, typer.Argument(help="person, device, domain or key")],
    identifier: Annotated[str, typer.Argument(help="Its id; of a key the label or the hash of the public key.")],
    as_of: Annotated[str, typer.Option(help="At that time (RFC 3339); now when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """List everything that is held: certificates, roles, memberships, posts, duties, keys, alerts."""
    with connect() as client:
        rows = items(client.get(f"/api/v1/register/holding/{kind}/{identifier}", at=as_of))
    columns = ("kind", "identifier", "title", "domain", "ends", "follows")
    print_rows(rows, columns, as_json=as_json, empty=f"`{identifier}` holds nothing")


def leave(
    person: Annotated[str, typer.Argument(help="Id in the register.")],
    basis: Annotated[str, typer.Option(help="The act by which the person leaves.")],
    successor: Annotated[
        list[str] | None,
        typer.Option(help="Who follows in every post; or post:ID=PERSON for one, given once for each."),
    ] = None,
    at: Annotated[str, typer.Option(help="Since when by that act (RFC 3339); access ends now in any case.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a person leave: end every certificate, role and membership and hand over every post, in one act.

    Shows all of it and asks first. A post without a successor, a successor who has left, and the last of the three
    administrators are refused. When the person is one of the three, it is proposed: another administrator decides, and
    the exit status is 3.
    """
    body = _body(person, basis, successor or [], at)
    with connect() as client:
        planned = client.post("/api/v1/register/leave", {**body, "dry_run": True})
        if dry_run:
            _print(planned, as_json=as_json)
            return
        if planned["needs_two"]:
            act = "register.person.leave"
            proposal.propose(client, act=act, body=_filled(body), reason=basis, yes=yes, as_json=as_json)
        if not as_json:
            _print(planned, as_json=False)
        confirm(f"Let `{person}` leave? This cannot be undone.", yes=yes, as_json=as_json)
        done = client.post("/api/v1/register/leave", body)
    if as_json:
        print_json(done)
        return
    say(f"`{person}` has left: {len(items(done))} things were given up, {done['left']} are left")


def _body(person: str, basis: str, successors: list[str], at: str) -> dict[str, JsonValue]:
    everything = [one for one in successors if "=" not in one]
    if len(everything) > 1:
        raise typer.BadParameter("only one successor can follow in everything else; name the others as post:ID=PERSON")
    each = {name: who for name, _, who in (one.partition("=") for one in successors if "=" in one)}
    return {"person": person, "basis": basis, "successor": "".join(everything), "items": each, "since": at}


def _filled(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what a proposal's body holds: nothing that is empty."""
    return {name: value for name, value in body.items() if value}


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    print_rows(items(answer), _COLUMNS, as_json=False, empty="nothing is held")
