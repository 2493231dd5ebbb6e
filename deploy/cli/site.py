"""The site itself: ``init``, ``serve``, ``migrate``, ``doctor``, ``rehearse``.

They work on the machine, without a login, and so does ``backup restore``; every other command acts as a person. What
they change is in the evidence, as done by ``founding``, ``installation`` or ``recovery``; ``doctor`` changes nothing.
"""

import os
import threading
from pathlib import Path
from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy import settings as site_settings
from deploy.cli.output import AsJson, print_json, print_rows, say

State = Annotated[Path | None, typer.Option("--site", help="The site's state folder (GUOSUO_STATE).")]

Province = Annotated[Path, typer.Option("--from", help="The province's register (one reviewed YAML).")]
RecoveryIdentity = Annotated[
    Path | None, typer.Option(help="Where to write the recovery identity (age); keep it elsewhere and safe.")
]
Store = Annotated[str, typer.Option(help="Database URL; SQLite in the state folder when left out.")]
Origin = Annotated[str, typer.Option(help="Name of the evidence log; it never changes.")]


def install(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    for command in (init, serve, migrate, doctor, rehearse):
        app.command()(command)


def init(
    from_: Province,
    site: State = None,
    recovery_identity: RecoveryIdentity = None,
    repository: Annotated[Path | None, typer.Option(help="The backup repository.")] = None,
    store: Store = "",
    name: Annotated[str, typer.Option(help="What the site is called.")] = "guosuo",
    origin: Origin = "guosuo.example/evidence",
    listen: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the interface.", min=1, max=65535)] = 8443,
    status_port: Annotated[int, typer.Option(help="Port of certificate status.", min=1, max=65535)] = 8480,
    host: Annotated[str, typer.Option(help="Host name in the service's certificate.")] = "localhost",
    address: Annotated[list[str] | None, typer.Option(help="Address in the service's certificate.")] = None,
    acme_port: Annotated[
        int | None,
        typer.Option(help="Port where machines fetch certificates (ACME); none when left out.", min=1, max=65535),
    ] = None,
    app_file: Annotated[list[Path] | None, typer.Option("--app", help="An app.yaml.")] = None,
) -> None:
    """Make a site: folders, store, token, register, certification authority, and one bootstrap certificate."""
    from deploy import founding

    state = site or site_settings.default_state()
    listening = site_settings.ListenSection(
        address=listen, port=port, status_port=status_port, host=host, addresses=tuple(address or ("127.0.0.1",))
    )
    asked = founding.Founding(
        state=state,
        province=from_,
        recovery_identity=recovery_identity or state.parent / f"{state.name}-recovery.age",
        name=name,
        origin=origin,
        listen=listening,
        repository=repository or state.parent / f"{state.name}-repository",
        store=store,
        applications=tuple(app_file or ()),
        acme=site_settings.AcmeSection(port=acme_port) if acme_port else None,
    )
    settings = founding.found(asked, progress=lambda done: say(f"  made: {done}"))
    _tell(settings, founding.bootstrap_files(settings), asked.recovery_identity)


def _tell(settings: site_settings.Settings, first: tuple[Path, Path], recovery_identity: Path) -> None:
    """Say what was made, what to put away, and what to type next."""
    certificate, key = first
    say(f"the site is in {settings.state}")
    if recovery_identity.exists():
        say(f"the recovery identity is in {recovery_identity}: move it to a safe place outside this machine")
    login = f"guosuo login https://{settings.listen.host}:{settings.listen.port}"
    say(f"next: guosuo serve --site {settings.state}, then")
    say(f"  {login} --cert {certificate} --key {key} --trust {settings.trusted}")


def serve(site: State = None) -> None:
    """Run the service: signer, sequencer, worker and interface, until interrupted."""
    from deploy import supervisor

    settings = site_settings.load(site or site_settings.default_state())
    stop = threading.Event()
    supervisor.install_signals(stop)
    supervisor.serve(settings, announce=lambda url: say(f"serving at {url}"), stop=stop)


def migrate(site: State = None) -> None:
    """Upgrade the store to the newest revision."""
    from deploy import installation, wiring

    database = wiring.store(site_settings.load(site or site_settings.default_state()))
    installation.upgrade(database, wiring.clock())
    database.close()
    say("the store is at the newest revision")


def doctor(site: State = None, as_json: AsJson = False) -> None:
    """Say what is missing on this machine, each with the command that cures it.

    With a site (--site, or GUOSUO_STATE) also how its background work stands: jobs that fail or do not run, silent
    witnesses.
    """
    from deploy import doctor as examination
    from deploy import standing, vouching, wiring

    findings = examination.inspect()
    if site is not None or "GUOSUO_STATE" in os.environ:
        settings = site_settings.load(site or site_settings.default_state())
        database = wiring.store(settings)
        witnesses, unread = standing.witnesses(lambda: vouching.asked(settings))
        findings += unread
        findings += standing.inspect(database, wiring.clock().now(), wiring.periods(settings, database), witnesses)
        database.close()
    rows: list[dict[str, JsonValue]] = [
        {"part": found.name, "ok": found.ok, "found": found.found, "expected": found.expected, "cure": found.cure}
        for found in findings
    ]
    print_rows(rows, ("part", "ok", "found", "expected", "cure"), as_json=as_json, empty="nothing was examined")
    if examination.missing(findings):
        raise typer.Exit(1)


def rehearse(
    as_json: AsJson = False,
    out: Annotated[Path, typer.Option(help="Where bundle and report are left.")] = Path("rehearsal"),
) -> None:
    """Rehearse the whole path on real parts: trust, access, a leak, containment, proof, recovery."""
    from deploy.rehearsal import run

    outcome = run.rehearse(out.resolve(), as_json=as_json)
    if as_json:
        print_json(outcome.as_json())
    raise typer.Exit(outcome.status)
