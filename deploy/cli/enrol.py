"""Enrolment of people and machines: ``cert enroll|renew|pkcs12|lost``, ``code open|list|withdraw``, and ``trust``."""

import getpass
import random
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from core.clock import SystemClock, to_rfc3339
from core.errors import Conflict, Rejected
from core.ledger.entry import JsonValue
from deploy import login
from deploy.card import Card
from deploy.carduri import is_uri
from deploy.cli.output import AsJson, Yes, complaints, confirm, connect, print_rows, print_thing, visible
from deploy.client import items
from deploy.file import check_target, read_text
from deploy.pair import Pair, PairFolder
from deploy.request import write_secret

codes = typer.Typer(no_args_is_help=True, help="One-time codes, by which a person or machine asks for a certificate.")

#: "Waits for another person".
_WAITS = 3

_COLUMNS = ("id", "state", "holder", "profile", "purpose", "maker", "expires_at", "tries")

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="The folder with trust.pem and current/key.pem, chain.pem; none: `identity` at home."),
]
Valid = Annotated[int, typer.Option("--valid", help="Minutes that the code is good: 5 to 10080.", min=1)]


def install(app: typer.Typer, cert: typer.Typer) -> None:
    """Add the commands to ``app`` and to its ``cert``."""
    app.command()(trust)
    app.add_typer(codes, name="code")
    for command in (enroll, renew, pkcs12, lost):
        cert.command()(command)


def trust(
    url: Annotated[str, typer.Argument(help="Where the service is, for example https://localhost:8443")],
    fingerprint: Annotated[str, typer.Option(help="SHA-256 of the root, which came by another way than the network.")],
    install: Annotated[Path | None, typer.Option(help="Folder to keep the root in, as trust.pem.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the site's root, and believe it only when it has this fingerprint."""
    from deploy import anchor

    found = anchor.fetch(url, fingerprint)
    told: dict[str, JsonValue] = {
        "subject": found.root.subject.rfc4514_string(),
        "fingerprint": found.fingerprint,
        "not_after": to_rfc3339(found.root.not_valid_after_utc),
    }
    if install is not None:
        told["trusted"] = str(anchor.install(found, install))
    print_thing(told, as_json=as_json)


def enroll(
    url: Annotated[str, typer.Option(help="Where the service is, for example https://localhost:8443")],
    fingerprint: Annotated[str, typer.Option(help="SHA-256 of the site's root; it came with the code.")],
    folder: Folder = None,
    code: Annotated[
        str, typer.Option(help="The one-time code; `-` reads it from standard input, where nobody else sees it.")
    ] = "-",
    key: Annotated[
        str, typer.Option(help="A PKCS#11 URI of a key on a token; none: a new P-256 key in the folder.")
    ] = "",
    make_key: Annotated[
        bool, typer.Option("--make-key", help="Make that key on the token, unless it is there.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="In place of the certificate that is there.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the officers; then it ends with 3.", min=0)] = 3600,
    as_json: AsJson = False,
) -> None:
    """Get the first certificate with a one-time code. The key is made here and stays; interrupted, call it again."""
    from deploy import onboarding

    if bool(key) != is_uri(key) or (make_key and not key):
        raise typer.BadParameter("--key takes a PKCS#11 URI; without it the key is made in the folder")
    asked = onboarding.Asked(url, fingerprint, _code(code), _place(folder), key, wait, make_key, again)
    try:
        made = onboarding.enrol(asked, say=_tell)
    except onboarding.Waits as waits:
        told = {name: value for name, value in waits.told.items() if name not in ("chain", "ticket")}
        print_thing(told, as_json=as_json)
        raise typer.Exit(_WAITS) from waits
    told = _told(made)
    print_thing(told, as_json=as_json)
    trusted = str(_place(folder) / "trust.pem")
    command = ["guosuo", "login", url, "--cert", str(told["chain"]), "--key", str(told["key"]), "--trust", trusted]
    _tell(f"to act with it: {shlex.join(command)}")


def renew(
    folder: Folder = None,
    now: Annotated[bool, typer.Option("--now", help="Also when less than two thirds of its life are over.")] = False,
    daemon: Annotated[bool, typer.Option("--daemon", help="Stay, and renew each time it is due.")] = False,
    exec_: Annotated[
        str,
        typer.Option("--exec", help="A command for each new pair (no shell), for example 'systemctl reload nginx'."),
    ] = "",
    same_key: Annotated[
        bool, typer.Option("--same-key", help="Keep the key, where the profile lets it be kept.")
    ] = False,
    new_key: Annotated[str, typer.Option(help="A PKCS#11 URI of the next key on the token: it is made there.")] = "",
    as_json: AsJson = False,
) -> None:
    """Renew a certificate by itself: a new key, unless --same-key. Nothing happens before it is due.

    Where the level asks for two officers it waits for them, and ends with 3; the same call goes on.
    """
    from deploy import renewing

    if (daemon and now) or (same_key and new_key):
        raise typer.BadParameter("--daemon and --now, --same-key and --new-key, exclude each other")
    clock = SystemClock()
    renewer = renewing.Renewer(_place(folder), renewing.Wish(same_key, new_key, exec_), clock=clock)
    if is_uri(renewer.present().key):
        Card(renewer.present().key, login.home()).reenter()
    chance = random.SystemRandom().random
    if daemon:
        renewing.keep_renewing(renewer, clock=clock, chance=chance, stop=_stopping(), say=_tell)
        return
    done = renewer.renew(now=now)
    told = _told(done.pair) | {"renewed": done.renewed, "due": to_rfc3339(renewer.due())}
    print_thing(told | ({"waits_for": done.waits_for} if done.waits_for else {}), as_json=as_json)
    if done.waits_for:
        raise typer.Exit(_WAITS)


def pkcs12(
    out: Annotated[Path, typer.Option(help="The file to make; it is never written over another.")],
    folder: Folder = None,
    password_file: Annotated[Path | None, typer.Option(help="A file with the password; none: you are asked.")] = None,
    name: Annotated[str, typer.Option(help="What a browser calls it; none: the serial number.")] = "",
    as_json: AsJson = False,
) -> None:
    """Pack key and chain as PKCS#12 for a browser, for those without a token. Made here; nothing is sent."""
    from deploy import pkcs12 as packing

    check_target(out)
    if out.exists():
        raise Conflict(f"`{out}` exists already", hint="choose another name; no key is ever overwritten")
    found = PairFolder(_place(folder)).current()
    if found is None:
        raise Rejected(f"`{_place(folder)}` holds no certificate", hint="begin with `guosuo cert enroll`")
    write_secret(out, packing.pack(found, _password(password_file), name=name))
    print_thing({"serial": found.serial, "written": str(out)}, as_json=as_json)


def lost(
    serial: Annotated[str, typer.Argument(help="Serial number of the certificate on the lost token, 40 digits.")],
    reason: Annotated[str, typer.Option(help="An RFC 5280 reason.")] = "key-compromise",
    every: Annotated[
        bool, typer.Option("--every", help="Every certificate of its holder: a whole machine is lost.")
    ] = False,
    valid: Valid = 1440,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke what is over a lost key, and make a one-time code for the same holder, in one act."""
    with connect() as client:
        part = quote(serial, safe="")
        found = client.get(f"/api/v1/certificate/{part}")
        which = f"every certificate of {found['holder']}" if every else f"what is over the key of {found['holder']}"
        question = f"revoke {which} for ever, and make a code for a new {found['profile']} certificate?"
        confirm(question, yes=yes, as_json=as_json)
        body: dict[str, JsonValue] = {"reason": reason, "every": every, "valid_seconds": valid * 60}
        print_thing(client.post(f"/api/v1/certificate/{part}/loss", body), as_json=as_json)


@codes.command("open")
def open_(
    holder: Annotated[str, typer.Argument(help="Id of the person or device in the register.")],
    profile: Annotated[str, typer.Option(help="See `guosuo profile show`.")] = "person",
    dns_name: Annotated[list[str] | None, typer.Option(help="A host name inside the domain's name space.")] = None,
    valid: Valid = 1440,
    as_json: AsJson = False,
) -> None:
    """Make a one-time code. It is shown once: hand it over with the root's fingerprint, not by the same mail."""
    body: dict[str, JsonValue] = {
        "holder": holder,
        "profile": profile,
        "dns_names": list(dns_name or ()),
        "valid_seconds": valid * 60,
    }
    with connect() as client:
        print_thing(client.post("/api/v1/code", body), as_json=as_json)


@codes.command("list")
def list_(
    state: Annotated[str, typer.Option(help="open, used, locked, withdrawn or expired; none: all.")] = "",
    holder: Annotated[str, typer.Option(help="Only for this holder.")] = "",
    as_json: AsJson = False,
) -> None:
    """List one-time codes, newest first; their secrets are kept nowhere."""
    with connect() as client:
        rows = items(client.get("/api/v1/code", state=state, holder=holder))
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no one-time code was made")


@codes.command()
def withdraw(
    identifier: Annotated[str, typer.Argument(help="The code's name: its first six characters.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw an open code."""
    with connect() as client:
        print_thing(client.post(f"/api/v1/code/{quote(identifier, safe='')}/withdrawal", {}), as_json=as_json)


def _tell(line: str) -> None:
    """Say how far it is, beside what programs read."""
    complaints.print(visible(line), highlight=False, soft_wrap=True, markup=False)


def _place(folder: Path | None) -> Path:
    return (folder or login.home() / "identity").absolute()


def _told(pair: Pair) -> dict[str, JsonValue]:
    return {
        "serial": pair.serial,
        "not_after": to_rfc3339(pair.span[1]),
        "key": pair.key if is_uri(pair.key) else str(pair.folder.parents[1] / "current" / "key.pem"),
        "chain": str(pair.folder.parents[1] / "current" / "chain.pem"),
    }


def _code(given: str) -> str:
    if given != "-":
        return given
    return getpass.getpass("one-time code: ") if sys.stdin.isatty() else sys.stdin.readline().strip()


def _password(file: Path | None) -> str:
    if file is not None:
        return read_text(file, largest=4096).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask on; give --password-file")
    first, again = (getpass.getpass(f"password of the file{word}: ") for word in ("", ", again"))
    if first != again:
        raise Rejected("the two passwords differ")
    return first


def _stopping() -> threading.Event:
    """Return what is set when this program is asked to end."""
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda _number, _frame: stop.set())
    return stop
