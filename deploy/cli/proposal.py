"""What every command shares that proposes an act of two people: show the consequences, ask, sign, and say who decides.

Such a command ends with exit status 3: it waits for another person.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

from core.approval import content
from core.errors import Conflict
from core.ledger.entry import JsonValue
from deploy.cli.output import confirm, print_json, say
from deploy.client import Answer, ServiceClient, items

#: "Waits for another person".
WAITS = 3


def propose(
    client: ServiceClient,
    *,
    act: str,
    body: Mapping[str, JsonValue],
    reason: str,
    yes: bool,
    as_json: bool,
    dry_run: bool = False,
) -> NoReturn:
    """Propose ``act`` after showing what it would do; ends the program with 3, or 0 when nobody else was needed.

    With ``dry_run`` it only shows, and ends with 0.
    """
    seen = client.post("/api/v1/approval/preview", {"act": act, "body": body, "reason": reason})
    digest = content.proposal(act=act, object_=str(seen["object"]), body=body, reason=reason)
    if digest != seen["digest"]:
        raise Conflict("the service did not read the body as it stands here: nothing was signed")
    if not as_json:
        _tell(seen)
    if dry_run:
        if as_json:
            print_json(dict(seen))
        raise typer.Exit
    confirm("Propose this?", yes=yes, as_json=as_json)
    proof = client.sign(act=content.PROPOSE, object_=str(seen["object"]), digest=digest)
    end(client.post("/api/v1/approval", {"act": act, "body": body, "reason": reason, "signed": proof}), as_json=as_json)


def end(answer: Answer, *, as_json: bool) -> NoReturn:
    """Say where a proposal stands, and end the program: 3 when it waits, 0 when it is done, 1 when it failed."""
    if as_json:
        print_json(dict(answer))
    elif answer["state"] == "waiting":
        say(f"waits for another person: {', '.join(names(answer))}")
        say(f"  they decide with: guosuo approval approve {answer['id']}")
    else:
        say(f"{answer['state']}: {answer['result']}")
    raise typer.Exit({"waiting": WAITS, "done": 0}.get(str(answer["state"]), 1))


def names(answer: Mapping[str, JsonValue], name: str = "waits_for") -> list[str]:
    """Return who may decide, as people read it."""
    return [f"{one['name']} ({one['person']}, {one['capacity']})" for one in items(answer, name)]


def _tell(seen: Answer) -> None:
    say(f"{seen['title']}: {seen['object']}")
    lines = seen["consequences"]
    for line in lines if isinstance(lines, Sequence) else ():
        say(f"  → {line}")
    if seen["needed"]:
        say(
            f"needs {seen['needed']} other within {seen['hours']} h: {', '.join(names(seen, 'approvers')) or 'nobody!'}"
        )
