"""``guosuo``: puts the nouns together and turns errors into one line and an exit status.

0 done · 1 refused or failed · 2 wrong usage · 3 waits for another person · 4 a part does not answer.
"""

import importlib.metadata
import sys
from typing import Annotated

import typer

from core.errors import TrustError, Unavailable
from deploy import login
from deploy.cli import (
    account,
    acme,
    alert,
    application,
    approval,
    backup,
    ca,
    certificate,
    decision,
    device,
    duty,
    enrol,
    evidence,
    leave,
    notify,
    profile,
    register,
    request,
    role,
    site,
    takeover,
    tsa,
)
from deploy.cli.output import complaints, say, visible

app = typer.Typer(
    name="guosuo",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Trust infrastructure for government networks: certificates, decisions, watched borders, evidence, recovery.",
    epilog="First steps: `guosuo doctor`, then `guosuo rehearse`. Every command explains itself with --help.",
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"guosuo {importlib.metadata.version('guosuo')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # acts by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


for part in (site, account):
    part.install(app)
leave.install(register.app)
app.add_typer(register.app, name="register")
duty.install(app)
app.add_typer(notify.app, name="notify")
app.add_typer(role.app, name="role")
app.add_typer(approval.app, name="approval")
app.add_typer(certificate.app, name="cert")
enrol.install(app, certificate.app)
app.add_typer(certificate.keys, name="key")
app.add_typer(ca.app, name="ca")
app.add_typer(takeover.app, name="takeover")
app.add_typer(acme.app, name="acme")
app.add_typer(device.app, name="cmp")
app.add_typer(profile.app, name="profile")
app.add_typer(request.app, name="request")
decision.install(app)
app.add_typer(application.app, name="app")
app.add_typer(application.gateway, name="gateway")
app.add_typer(alert.app, name="alert")
app.add_typer(alert.sensor, name="sensor")
app.add_typer(backup.app, name="backup")
app.add_typer(backup.drill, name="drill")
app.add_typer(evidence.app, name="evidence")
app.add_typer(tsa.app, name="tsa")


def main() -> None:
    """Run the command line."""
    try:
        login.prepare(login.home())
        app()
    except TrustError as error:
        # What a person wrote may look like markup, so only our own word is styled.
        complaints.print("[red]refused[/red]: ", end="")
        complaints.print(visible(error.detail), highlight=False, soft_wrap=True, markup=False)
        if error.rule:
            complaints.print(visible(f"  rule: {error.rule}"), highlight=False, soft_wrap=True, markup=False)
        if error.hint:
            complaints.print(visible(f"  hint: {error.hint}"), highlight=False, soft_wrap=True, markup=False)
        sys.exit(4 if isinstance(error, Unavailable) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
