"""Who I am: ``login``, ``logout``, ``whoami``."""

from pathlib import Path
from typing import Annotated

import typer

from deploy import login as logins
from deploy.card import Card
from deploy.carduri import is_uri
from deploy.cli.output import AsJson, connect, print_thing, say
from deploy.client import ServiceClient


def install(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)


def login(
    url: Annotated[str, typer.Argument(help="Where the service is, for example https://localhost:8443")],
    cert: Annotated[str, typer.Option(help="My certificate with its chain (PEM), or a PKCS#11 URI of a token.")],
    key: Annotated[
        str,
        typer.Option(
            help="My private key (PEM), used where it lies and never copied; or a PKCS#11 URI, for example "
            "pkcs11:token=CARD;object=signing?pin-source=file:/PATH (you are asked for the PIN when no file is named)."
        ),
    ],
    trust: Annotated[Path, typer.Option(help="The root certificate of the site (PEM), checked by its fingerprint.")],
    as_json: AsJson = False,
) -> None:
    """Act as the holder of a certificate from now on, in this home folder."""
    if is_uri(key):
        Card(key, logins.home()).reenter()
    profile = logins.Login(
        url=url,
        certificate=str(_certificate(cert)),
        key=key if is_uri(key) else str(Path(key).absolute()),
        trusted=str(trust.absolute()),
    )
    with ServiceClient(profile) as client:
        identity = client.get("/api/v1/identity")
    # Kept only after the service has accepted the certificate: a login that is saved works.
    logins.save(profile, logins.home())
    print_thing(identity, as_json=as_json)


def _certificate(cert: str) -> Path:
    if not is_uri(cert):
        # Not resolved: `current` of an enrolled folder leads to another certificate after each renewal.
        return Path(cert).absolute()
    card = Card(cert, logins.home())
    card.prepare()
    return card.certificates()


def logout() -> None:
    """Forget who I am on this machine; the certificate and key files stay."""
    say("logged out" if logins.forget(logins.home()) else "nobody was logged in")


def whoami(as_json: AsJson = False) -> None:
    """Show whom the service takes me for, and my roles."""
    with connect() as client:
        print_thing(client.get("/api/v1/identity"), as_json=as_json)
