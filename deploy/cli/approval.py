"""Acts that need a second person: ``approval list|show|propose|approve|return|reject|withdraw|resubmit``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from core.approval import content
from core.approval.state import State
from core.errors import Malformed
from core.ledger.entry import JsonValue
from deploy.cli import proposal
from deploy.cli.output import AsJson, DryRun, Yes, confirm, connect, print_json, print_rows, print_thing, say, whole_id
from deploy.client import Answer, ServiceClient, items
from deploy.file import read_text

app = typer.Typer(no_args_is_help=True, help="Everything that waits for a second person, of all parts.")

Identifier = Annotated[str, typer.Argument(callback=whole_id, help="Id of the proposal, see `guosuo approval list`.")]
Why = Annotated[str, typer.Option("--reason", help="Why; signed, and kept in the evidence.")]
BodyFile = Annotated[Path, typer.Option("--body", help="The body (JSON).")]


@app.command("list")
def list_(
    state: Annotated[State | None, typer.Option(help="Only those that stand there.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what waits for me.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most proposals to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the proposals that concern me, newest first (the auditor sees all)."""
    with connect() as client:
        rows = items(client.get("/api/v1/approval", state=state, mine="true" if mine else "", limit=limit))
    shown = rows if as_json else [{**row, "waits_for": proposal.names(row)} for row in rows]
    columns = ("id", "state", "title", "object", "proposer", "expires", "waits_for")
    print_rows(shown, columns, as_json=as_json, empty="nothing waits" if mine else "no proposal concerns you")


@app.command()
def show(identifier: Identifier, as_json: AsJson = False) -> None:
    """Show a proposal: what is proposed, why, what would happen, who may decide, and what was done so far."""
    with connect() as client:
        found = client.get(f"/api/v1/approval/{identifier}")
    _tell(found, as_json=as_json)


@app.command()
def propose(
    act: Annotated[str, typer.Argument(help="The act, for example role.administrator.replace.")],
    body: BodyFile,
    reason: Why,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Propose any act of two people from a body in a file (the acts' own commands are easier to type)."""
    with connect() as client:
        proposal.propose(client, act=act, body=_read(body), reason=reason, yes=yes, as_json=as_json, dry_run=dry_run)


@app.command()
def approve(
    identifier: Identifier,
    reason: Annotated[str, typer.Option("--reason", help="A remark; signed, and kept in the evidence.")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Agree: shows what would happen, asks, and signs with my own key; the last approval carries the act out."""
    with connect() as client:
        found = client.get(f"/api/v1/approval/{identifier}")
        if not as_json:
            _tell(found, as_json=False)
        confirm("Approve, as shown?", yes=yes, as_json=as_json)
        answer = _decide(client, found, "approve", content.APPROVE, reason)
    _conclude(answer, as_json=as_json)


@app.command("return")
def return_(identifier: Identifier, reason: Why, as_json: AsJson = False) -> None:
    """Give a proposal back to its proposer, to be corrected."""
    with connect() as client:
        found = client.get(f"/api/v1/approval/{identifier}")
        answer = _decide(client, found, "return", content.RETURN, reason)
    _brief(answer, as_json=as_json)


@app.command()
def reject(identifier: Identifier, reason: Why, yes: Yes = False, as_json: AsJson = False) -> None:
    """Refuse a proposal for good: shows it, asks, and signs with my own key."""
    _end(identifier, "reject", content.REJECT, reason, yes=yes, as_json=as_json)


@app.command()
def withdraw(identifier: Identifier, reason: Why, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take my own proposal back for good: shows it, asks, and signs with my own key."""
    _end(identifier, "withdraw", content.WITHDRAW, reason, yes=yes, as_json=as_json)


@app.command()
def resubmit(identifier: Identifier, body: BodyFile, reason: Why, as_json: AsJson = False) -> None:
    """Propose again, corrected, what was returned to me."""
    corrected = _read(body)
    with connect() as client:
        found = client.get(f"/api/v1/approval/{identifier}")
        digest = content.proposal(act=str(found["act"]), object_=str(found["object"]), body=corrected, reason=reason)
        proof = client.sign(act=content.RESUBMIT, object_=content.name(identifier), digest=digest)
        path = f"/api/v1/approval/{identifier}/resubmit"
        answer = client.post(path, {"body": corrected, "reason": reason, "signed": proof})
    proposal.end(answer, as_json=as_json)


def _end(identifier: str, verb: str, act: str, reason: str, *, yes: bool, as_json: bool) -> None:
    """End a proposal for good: exactly the one that was shown, and asked about."""
    with connect() as client:
        found = client.get(f"/api/v1/approval/{identifier}")
        if not as_json:
            _tell(found, as_json=False)
        confirm(f"{verb.capitalize()} for good, as shown?", yes=yes, as_json=as_json)
        answer = _decide(client, found, verb, act, reason)
    _brief(answer, as_json=as_json)


def _brief(answer: Answer, *, as_json: bool) -> None:
    print_thing({name: answer[name] for name in ("id", "state", "result")}, as_json=as_json)


def _decide(client: ServiceClient, found: Answer, verb: str, act: str, comment: str) -> Answer:
    """Sign and send a decision on exactly what was shown: the digest is made from it, not taken from the answer."""
    shown = found["body"]
    revision = found["revision"]
    assert isinstance(shown, Mapping)
    assert isinstance(revision, int)
    proposed = content.proposal(
        act=str(found["act"]), object_=str(found["object"]), body=shown, reason=str(found["reason"])
    )
    identifier = str(found["id"])
    digest = content.decision(proposal=proposed, revision=revision, comment=comment)
    proof = client.sign(act=act, object_=content.name(identifier), digest=digest)
    return client.post(f"/api/v1/approval/{identifier}/{verb}", {"comment": comment, "signed": proof})


def _conclude(answer: Answer, *, as_json: bool) -> None:
    if answer["state"] == "waiting":
        proposal.end(answer, as_json=as_json)
    _brief(answer, as_json=as_json)
    if answer["state"] == "failed":
        raise typer.Exit(1)


def _tell(found: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(dict(found))
        return
    names = ("id", "title", "object", "state", "revision", "proposer", "reason", "body", "expires", "result")
    print_thing({name: found[name] for name in names if found[name] != ""}, as_json=False)
    for line in _lines(found, "consequences"):
        say(f"  → {line}")
    if found["state"] == "waiting":
        say(f"waits for: {', '.join(proposal.names(found)) or 'nobody who could decide on it now'}")
    history = items(found, "history")
    print_rows(history, ("at", "revision", "step", "person", "comment"), as_json=False, empty="nothing was done yet")


def _lines(found: Answer, name: str) -> list[str]:
    value = found[name]
    return [str(line) for line in value] if isinstance(value, list) else []


def _read(path: Path) -> dict[str, JsonValue]:
    try:
        body = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise Malformed(f"`{path}` is not JSON: line {error.lineno}: {error.msg}") from error
    if not isinstance(body, dict):
        raise Malformed(f"`{path}` holds no JSON object")
    return body
