"""Custody of the evidence: ``evidence trace|purge``, ``body show|erase``, ``hold add|list|release``."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from core.clock import bounded, parse_given, to_rfc3339
from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import (
    AsJson,
    DryRun,
    Reason,
    Yes,
    connect,
    people,
    print_json,
    print_rows,
    print_thing,
    say,
    visible,
)
from deploy.client import Answer, items

hold = typer.Typer(no_args_is_help=True, help="Legal holds: what is neither purged nor erased while they last.")
body = typer.Typer(no_args_is_help=True, help="What is personal or classified about a record, beside it and erasable.")

#: Why records stay, as people read it.
_STAYS = {
    "young": "younger than the retention of their domain's level",
    "certificate": "about a certificate that has not lapsed, or less than five years ago",
    "hold": "kept by a legal hold",
    "needed": "needed to prove purges, holds, erasures and exports",
    "unpublished": "not yet in a full, mirrored bundle of the log",
    "next-time": "more than one purge can name: purge again afterwards",
}


def moment(text: str) -> str:
    """Read a time: RFC 3339 with an offset, or a bare date, which is its beginning in UTC."""
    try:
        if len(text) == len("2026-11-25"):
            return to_rfc3339(bounded(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)))
        return to_rfc3339(parse_given(text))
    except ValueError as error:
        raise typer.BadParameter(f"`{text}` is neither a date nor a time such as 2026-11-25T08:00:00Z") from error


def install(app: typer.Typer) -> None:
    """Add the commands to ``guosuo evidence``."""
    app.command()(trace)
    app.command()(purge)
    app.add_typer(hold, name="hold")
    app.add_typer(body, name="body")


def trace(
    what: Annotated[
        str, typer.Argument(help="alert:ID, certificate:SERIAL, request:ID, person:ID, a record's number, a hash.")
    ],
    as_of: Annotated[str, typer.Option("--as-of", help="As it was known at this time.")] = "",
    as_json: AsJson = False,
) -> None:
    """Go from a thing back to everything that led there, and to who answered for it at that time."""
    with connect() as client:
        found = client.get("/api/v1/evidence/trace", what=what, as_of=moment(as_of) if as_of else "")
    if as_json:
        print_json(dict(found))
        return
    root = found["tree"]
    assert isinstance(root, Mapping)
    people.print(branch(root), highlight=False)
    for line in _lines(found, "unresolved"):
        say(f"not resolved: {line}")
    for line in _lines(found, "left_out"):
        say(f"left out: {line}")


def purge(
    before: Annotated[str, typer.Option("--before", help="Only what was recorded before this time, or date (UTC).")],
    domain: Annotated[str, typer.Option(help="Only records of this domain.")] = "",
    object_: Annotated[str, typer.Option("--object", help="Only records about this: certificate:SERIAL.")] = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Purge records whose retention is over: shows what would go and why the rest stays, then proposes it.

    Another person decides (exit status 3). Each purged record leaves its hash, so the log still verifies.
    """
    if not dry_run and not reason:
        raise typer.BadParameter("say why with --reason, or look with --dry-run")
    with connect() as client:
        seen = client.get("/api/v1/evidence/purge", before=moment(before), domain=domain, object=object_)
        if dry_run and as_json:
            print_json(dict(seen))
            return
        if not as_json:
            _tell(seen)
        if dry_run or not seen["count"]:
            return
        content = seen["proposal"]
        assert isinstance(content, Mapping)
        proposal.propose(client, act="evidence.purge", body=content, reason=reason, yes=yes, as_json=as_json)


@hold.command("add")
def add_hold(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept beside the evidence and erasable.")],
    until: Annotated[str, typer.Option("--until", help="When it ends by itself: a time, or a date (UTC).")],
    object_: Annotated[str, typer.Option("--object", help="For example person:ID or certificate:SERIAL.")] = "",
    domain: Annotated[str, typer.Option(help="Everything of a domain.")] = "",
    record: Annotated[str, typer.Option(help="A record's number, or FIRST-LAST.")] = "",
    as_json: AsJson = False,
) -> None:
    """Hold records: neither purged nor their bodies erased until then."""
    named = {kind: value for kind, value in (("object", object_), ("domain", domain), ("records", record)) if value}
    if len(named) != 1:
        raise typer.BadParameter("name one of --object, --domain, --record")
    ((kind, value),) = named.items()
    with connect() as client:
        request = {"kind": kind, "value": value, "reason": reason, "until": moment(until)}
        print_thing(client.post("/api/v1/evidence/hold", request), as_json=as_json)


@hold.command("list")
def list_holds(as_json: AsJson = False) -> None:
    """List holds, also those that are over."""
    with connect() as client:
        rows: list[Mapping[str, JsonValue]] = []
        while page := items(client.get("/api/v1/evidence/hold", offset=str(len(rows)))):
            rows += page
    columns = ("id", "kind", "value", "until", "active", "placed_by", "reason")
    print_rows(rows, columns, as_json=as_json, empty="nothing is held")


@hold.command("release")
def release_hold(
    identifier: Annotated[str, typer.Argument(help="Id of the hold, see `guosuo evidence hold list`.")],
    as_json: AsJson = False,
) -> None:
    """End a hold before its time."""
    with connect() as client:
        print_thing(client.post(f"/api/v1/evidence/hold/{identifier}/release", {}), as_json=as_json)


@body.command("show")
def show_body(
    record: Annotated[str, typer.Argument(help="Id of the record.")],
    as_json: AsJson = False,
) -> None:
    """Show a record's body; that it was looked at is on record."""
    with connect() as client:
        print_thing(client.get(f"/api/v1/evidence/body/{record}"), as_json=as_json)


@body.command("erase")
def erase_body(
    record: Annotated[str, typer.Argument(help="Id of the record.")],
    reason: Reason,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose to erase a record's body; another person decides (exit status 3). The record itself stays."""
    with connect() as client:
        proposal.propose(
            client, act="evidence.body.erase", body={"record": record}, reason=reason, yes=yes, as_json=as_json
        )


def _tell(seen: Answer) -> None:
    say(
        f"{seen['count']} records may be purged"
        + (f", number {seen['first']} to {seen['last']}" if seen["count"] else "")
    )
    types, stays = seen["types"], seen["stays"]
    for kind, count in types.items() if isinstance(types, Mapping) else ():
        say(f"  {count:>8} {kind}")
    for why, count in stays.items() if isinstance(stays, Mapping) else ():
        say(f"  {count:>8} stay: {_STAYS.get(why, why)}")


def branch(thing: Mapping[str, JsonValue]) -> Tree:
    """Return a thing, its records and what they name as a tree; names are other people's text, never markup."""
    said = "; ".join(_lines(thing, "said"))
    tree = Tree(_text(f"{thing['name']}" + (f"  {said}" if said else "")))
    for one in items(dict(thing), "records"):
        number = "–" if one["number"] is None else one["number"]
        refused = "" if one["result"] == "done" else " (refused)"
        tree.add(_text(f"{number} · {one['at']} · {one['type']}{refused} · {one['actor']} · {one['object']}"))
    if thing["more"]:
        tree.add(_text(f"… and {thing['more']} more records"))
    if thing["unresolved"]:
        tree.add(_text(f"not resolved: {thing['unresolved']}"))
    for one in items(dict(thing), "things"):
        tree.add(branch(one))
    return tree


def _text(line: str) -> Text:
    return Text(visible(line))


def _lines(thing: Mapping[str, JsonValue], name: str) -> list[str]:
    found = thing[name]
    return [str(line) for line in found] if isinstance(found, list) else []
