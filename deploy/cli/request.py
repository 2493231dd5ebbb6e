"""The registration desk: ``request add|list|show|correct|approve|return|reject``."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, Yes, confirm, connect, print_rows, print_thing, say
from deploy.client import Answer, ServiceClient, items

app = typer.Typer(no_args_is_help=True, help="The registration desk: requests are filed, checked, approved and issued.")

_COLUMNS = ("id", "state", "waits_for", "holder", "profile", "domain", "requester", "comment")

#: "Waits for another person".
_WAITS = 3

Holder = Annotated[str, typer.Argument(help="Id of the person or device in the register.")]
Csr = Annotated[Path, typer.Option(help="Certification request (PEM or DER).")]
ProfileName = Annotated[str, typer.Option("--profile", help="See `guosuo profile show`.")]
Hosts = Annotated[list[str] | None, typer.Option("--dns-name", help="A host name inside the domain's name space.")]
Identifier = Annotated[str, typer.Argument(help="The request's id: see `guosuo request list`.")]
Comment = Annotated[str, typer.Option(help="What is wrong with it; who filed it reads this.")]


@app.command()
def add(
    holder: Holder, csr: Csr, profile: ProfileName = "person", dns_name: Hosts = None, as_json: AsJson = False
) -> None:
    """File a request; ends with 3, because an officer decides on it."""
    with connect() as client:
        _end(client.post("/api/v1/request", _body(holder, csr, profile, dns_name)), as_json=as_json)


@app.command()
def correct(
    identifier: Identifier,
    holder: Holder,
    csr: Csr,
    profile: ProfileName = "person",
    dns_name: Hosts = None,
    as_json: AsJson = False,
) -> None:
    """File a request once more that was returned, corrected."""
    with connect() as client:
        body = _body(holder, csr, profile, dns_name)
        _end(client.post(f"/api/v1/request/{identifier}/correction", body), as_json=as_json)


@app.command("list")
def list_(
    state: Annotated[
        str, typer.Option(help="submitted, checked, returned, approved, rejected or issued; none: all.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List requests, newest first."""
    with connect() as client:
        rows = items(client.get("/api/v1/request", state=state))
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no request is at the desk")


@app.command()
def show(identifier: Identifier, as_json: AsJson = False) -> None:
    """Show one request."""
    with connect() as client:
        print_thing(client.get(f"/api/v1/request/{identifier}"), as_json=as_json)


@app.command()
def approve(
    identifier: Identifier,
    comment: Annotated[str, typer.Option(help="A word with it.")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Approve a request after seeing what it asks; the last approval that is needed issues it."""
    with connect() as client:
        seen = client.get(f"/api/v1/request/{identifier}")
        _show(seen, as_json=as_json)
        question = f"approve a {seen['profile']} certificate of {seen['holder']} in {seen['domain']}?"
        confirm(question, yes=yes, as_json=as_json)
        _end(_decide(client, seen, "approval", comment), as_json=as_json)


@app.command("return")
def return_(identifier: Identifier, comment: Comment, as_json: AsJson = False) -> None:
    """Return a request to be corrected by whoever filed it."""
    with connect() as client:
        seen = client.get(f"/api/v1/request/{identifier}")
        print_thing(_decide(client, seen, "return", comment), as_json=as_json)


@app.command()
def reject(identifier: Identifier, comment: Comment, yes: Yes = False, as_json: AsJson = False) -> None:
    """Reject a request for good."""
    with connect() as client:
        seen = client.get(f"/api/v1/request/{identifier}")
        _show(seen, as_json=as_json)
        confirm(f"reject the request {identifier} for good?", yes=yes, as_json=as_json)
        print_thing(_decide(client, seen, "rejection", comment), as_json=as_json)


def _body(holder: str, csr: Path, profile: str, hosts: list[str] | None) -> dict[str, JsonValue]:
    from deploy.csrfile import read_request

    return {"csr": read_request(csr), "profile": profile, "holder": holder, "dns_names": list(hosts or ())}


def _show(seen: Answer, *, as_json: bool) -> None:
    """Say what is decided on: whose request, for which names, over which key."""
    if as_json:
        return
    names = seen["dns_names"]
    assert isinstance(names, list)
    say(f"request   {seen['id']}, revision {seen['revision']}, filed by {seen['requester']} at {seen['filed_at']}")
    say(f"holder    {seen['holder']} in {seen['domain']}, profile {seen['profile']}")
    say(f"names     {', '.join(str(name) for name in names) or '-'}")
    say(f"key       {_key(str(seen['csr']))}")


def _key(csr: str) -> str:
    """Return the SHA-256 of the key (SubjectPublicKeyInfo) that a request holds."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_pem_x509_csr

    key = load_pem_x509_csr(csr.encode("ascii")).public_key()
    return f"SHA-256 {hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()}"


def _decide(client: ServiceClient, seen: Answer, word: str, comment: str) -> Answer:
    """Decide on exactly what was seen: what was corrected meanwhile is refused."""
    body: dict[str, JsonValue] = {"digest": seen["digest"], "comment": comment}
    return client.post(f"/api/v1/request/{seen['id']}/{word}", body)


def _end(answer: Answer, *, as_json: bool) -> None:
    print_thing(answer, as_json=as_json)
    if answer["waits_for"]:
        raise typer.Exit(_WAITS)
