"""Others who vouch for our log: ``evidence witness list|run``, ``evidence timestamp list|run``."""

from collections.abc import Mapping

import typer
from rich.text import Text

from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, connect, people, print_json, print_rows, say
from deploy.client import Answer, items

app = typer.Typer(no_args_is_help=True, help="Witnesses: who cosigns our checkpoints, and whose we cosign.")
timestamp = typer.Typer(no_args_is_help=True, help="Time-stamp tokens (RFC 3161) over our checkpoints.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show our witnesses and how far each has followed, the logs that we witness, and what we refused to cosign."""
    with connect() as client:
        _tell(client.get("/api/v1/evidence/witness"), as_json=as_json)


@app.command("run")
def run(as_json: AsJson = False) -> None:
    """Have our newest checkpoint witnessed now. Ends with status 1 when a witness failed.

    The worker does this by itself every few seconds; a witness that fails is asked again each time.
    """
    with connect() as client:
        answer = client.post("/api/v1/evidence/witness/run", {})
    _tell(answer, as_json=as_json)
    if any(one.get("error") for one in items(answer, "witnesses")):
        raise typer.Exit(1)


@timestamp.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the newest tokens. Each stands in the log's folder as ts/SIZE.tsr, for `openssl ts -verify`."""
    with connect() as client:
        _tokens(client.get("/api/v1/evidence/timestamp"), as_json=as_json)


@timestamp.command("run")
def run_tokens(as_json: AsJson = False) -> None:
    """Have our newest checkpoint time-stamped now."""
    with connect() as client:
        _tokens(client.post("/api/v1/evidence/timestamp/run", {}), as_json=as_json)


def _tell(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    say(f"our log, for those who witness us: {answer['log']}")
    say(f"our key as a witness: {answer['key']}")
    _table(answer, "witnesses", ("witness", "url", "size", "done_at", "error"), "nobody is asked to witness our log")
    _table(answer, "logs", ("origin", "size", "root", "at"), "we have witnessed no log yet")
    _table(answer, "refused", ("origin", "size", "reason", "at"), "we have refused to cosign nothing")


def _table(answer: Mapping[str, JsonValue], name: str, columns: tuple[str, ...], empty: str) -> None:
    people.print(Text(name, style="bold"))
    print_rows(items(answer, name), columns, as_json=False, empty=empty)


def _tokens(answer: Answer, *, as_json: bool) -> None:
    columns = ("size", "authority", "at", "octets")
    print_rows(items(answer), columns, as_json=as_json, empty="no checkpoint was time-stamped yet")
