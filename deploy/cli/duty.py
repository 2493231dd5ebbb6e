"""Duties and how things stand: ``duty list|show|ack|done``, ``status``."""

from collections.abc import Mapping
from typing import Annotated

import typer

from core.duty import statement
from core.errors import NotFound
from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, connect, print_json, print_rows, print_thing, say, warn, whole_id
from deploy.client import Answer, items

app = typer.Typer(no_args_is_help=True, help="What waits for somebody: each duty belongs to a post, and who holds it.")

_COLUMNS = ("id", "kind", "title", "post", "holder", "state", "due", "overdue")
_ORPHANS = ("kind", "identifier", "title", "why")

Identifier = Annotated[str, typer.Argument(callback=whole_id, help="Id of the duty, see `guosuo duty list`.")]
Note = Annotated[str, typer.Option(help="What to say about it; it goes into the evidence.")]


def install(main: typer.Typer) -> None:
    """Add the noun ``duty`` and the command ``status``."""
    main.add_typer(app, name="duty")
    main.command()(status)


@app.command("list")
def list_(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only those of the posts that I hold.")] = False,
    post: Annotated[str, typer.Option(help="Only those of this post.")] = "",
    orphan: Annotated[bool, typer.Option("--orphan", help="What nobody answers for, of every kind.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose deadline has passed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most duties to list.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List the duties that wait, the most pressing first; --orphan stands alone."""
    others = [name for name in ("mine", "post", "overdue", "limit") if _is_given(context, name)]
    if orphan and others:
        raise typer.BadParameter(f"--orphan lists things of every kind, not duties: leave out --{', --'.join(others)}")
    with connect() as client:
        if orphan:
            _print_orphans(client.get("/api/v1/duty/orphan"), as_json=as_json)
            return
        path = "/api/v1/duty/mine" if mine else "/api/v1/duty"
        answer = client.get(path, post=post, overdue=str(overdue).lower(), limit=limit)
    rows = items(answer)
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no duty waits")
    if not as_json and len(rows) != answer["total"]:
        say(f"{len(rows)} of {answer['total']}; see --limit")


@app.command()
def show(identifier: Identifier, as_json: AsJson = False) -> None:
    """Show one duty: mine, or anybody's when my role lets me."""
    with connect() as client:
        try:
            found = client.get(f"/api/v1/duty/mine/{identifier}")
        except NotFound:
            found = client.get(f"/api/v1/duty/{identifier}")
    print_thing(found, as_json=as_json)


@app.command("ack")
def acknowledge(identifier: Identifier, note: Note = "", as_json: AsJson = False) -> None:
    """Take a duty up, signed with my own key: from now on the record says that I have."""
    _act(identifier, "acknowledgement", statement.ACKNOWLEDGE, note, as_json=as_json)


@app.command()
def done(identifier: Identifier, note: Note = "", as_json: AsJson = False) -> None:
    """Say that a duty is done, signed with my own key. While its cause is there, it comes again."""
    _act(identifier, "conclusion", statement.CONCLUDE, note, as_json=as_json)


def _act(identifier: str, noun: str, act: str, note: str, *, as_json: bool) -> None:
    """Show a duty, sign exactly what was shown, and send it."""
    path = f"/api/v1/duty/mine/{identifier}"
    with connect() as client:
        shown = client.get(path)
        if not as_json:
            print_thing(shown, as_json=False)
        read = {name: str(shown[name]) for name in ("kind", "title", "stage")}
        digest = statement.digest(about=str(shown["object"]), note=note, **read)
        proof = client.sign(act=act, object_=f"duty:{identifier}", digest=digest)
        answer = client.post(f"{path}/{noun}", {"note": note, "signed": proof})
    if as_json:
        print_json(answer)
        return
    say(f"signed: this duty is {answer['state']} now")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def status(
    mine: Annotated[bool, typer.Option("--mine", help="Only the posts that I hold.")] = False, as_json: AsJson = False
) -> None:
    """Say what is red and what lapses next. Exit status 0 also when something is red."""
    with connect() as client:
        standing = client.get("/api/v1/status/mine" if mine else "/api/v1/status")
    if as_json:
        print_json(standing)
        return
    red, orphans = items(standing, "red"), items(standing, "orphans")
    for one in red:
        warn("overdue" if one["overdue"] else str(one["kind"]), _line(one))
    for one in orphans:
        warn("nobody answers", f"{one['kind']} {one['identifier']} {one['title']}: {one['why']}")
    for one in items(standing, "next"):
        say(f"next  {_line(one)}")
    say(f"{standing['open']} duties wait, {len(red)} are red; {len(orphans)} things nobody answers for")


def _line(one: Mapping[str, JsonValue]) -> str:
    due = f" until {one['due']}" if one["due"] else ""
    return f"{one['id']}  {one['title']}{due} · {one['post']} {one['holder'] or '(vacant)'} · {one['state']}"


def _print_orphans(answer: Answer, *, as_json: bool) -> None:
    rows = items(answer)
    if as_json or not rows:
        print_rows(rows, _ORPHANS, as_json=as_json, empty="everything has somebody who answers for it")
        return
    for one in rows:
        warn("nobody answers", f"{one['kind']} {one['identifier']} {one['title']}: {one['why']}")
