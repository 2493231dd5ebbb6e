"""Our own time-stamp authority (RFC 3161): ``tsa status|renew``."""

import typer

from deploy.cli.output import AsJson, connect, print_json, say, warn
from deploy.client import Answer

app = typer.Typer(no_args_is_help=True, help="Our time-stamp authority (RFC 3161): anybody's hashes, and our own log.")

_SHOWN = ("url", "policy", "generation", "certificate", "not_after", "key_until", "clock", "newest", "granted", "open")


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Show how the time-stamp authority stands. Ends with status 1 when it gives no token now.

    A client asks with `openssl ts -query -data FILE -sha256 -cert -out FILE.tsq`, and sends that by
    `curl -H 'Content-Type: application/timestamp-query' --data-binary @FILE.tsq URL -o FILE.tsr`.
    """
    with connect() as client:
        answer = client.get("/api/v1/tsa")
    _tell(answer, as_json=as_json)
    if answer["trouble"]:
        raise typer.Exit(1)


@app.command("renew")
def renew(as_json: AsJson = False) -> None:
    """Make the next generation now, with a key and a certificate of its own.

    The worker does this by itself, a month before the present key has had its year. By hand it is done when a token was
    given at a wrong time in the future, which no later one may precede. Tokens that were given stay good.
    """
    with connect() as client:
        _tell(client.post("/api/v1/tsa/renew", {}), as_json=as_json)


def _tell(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for name in _SHOWN:
        say(f"{name:12} {answer[name] if answer[name] != '' else '-'}")
    say(f"{'accuracy':12} {answer['accuracy_ms']} ms")
    if answer["trouble"]:
        warn("no token", str(answer["trouble"]))
