"""``decide``: ask the decision point, and be told why."""

from typing import Annotated

import typer

from deploy.cli.output import AsJson, connect, print_json, print_rows, print_thing
from deploy.client import items


def install(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(decide)


def decide(
    who: Annotated[str, typer.Argument(help="A certificate's serial number, or a person's id.")],
    action: Annotated[str, typer.Argument(help="For example budget:read.")],
    what: Annotated[str, typer.Argument(help="The system, for example fin-budget; or one resource, document/budget.")],
    level: Annotated[
        str, typer.Option(help="Classification of the document, when it is above what its description says.")
    ] = "public",
    explain: Annotated[bool, typer.Option("--explain", help="List every policy that was asked, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether WHO may do ACTION on WHAT, by which policy, or what is missing and who could give it."""
    body = {"who": who, "action": action, "what": what, "level": level}
    with connect() as client:
        answer = client.post("/api/v1/decision/explanation", body)
    if as_json:
        print_json(answer)
        return
    print_thing({name: value for name, value in answer.items() if name != "asked"}, as_json=False)
    if not explain:
        return
    columns = ("id", "effect", "applies", "title", "basis")
    print_rows(items(answer, "asked"), columns, as_json=False, empty="no policy was asked")
