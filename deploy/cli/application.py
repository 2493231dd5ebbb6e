"""Applications and the gateway: ``app check``, ``gateway config``."""

from pathlib import Path
from typing import Annotated

import typer

from core.ledger.entry import JsonValue
from deploy.cli.output import AsJson, print_rows, say
from deploy.file import read_text

app = typer.Typer(no_args_is_help=True, help="An application is one reviewable app.yaml.")
gateway = typer.Typer(no_args_is_help=True, help="The gateway in front of applications.")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="An app.yaml.")],
    as_json: AsJson = False,
) -> None:
    """Check an application's description; every fault is named with its line."""
    from authz.appfile import parse_application

    found = parse_application(read_text(file))
    rows: list[dict[str, JsonValue]] = [
        {
            "path": route.path,
            "methods": " ".join(sorted(route.methods)),
            "action": route.action,
            "resource": f"{route.resource.type}/{route.resource.id}",
            "level": route.resource.level,
        }
        for route in found.routes
    ]
    columns = ("path", "methods", "action", "resource", "level")
    print_rows(rows, columns, as_json=as_json, empty="no route is described")


@gateway.command("config")
def config(
    directory: Annotated[Path, typer.Option(help="Where nginx keeps its configuration, certificates and logs.")],
    app_file: Annotated[list[Path], typer.Option("--app", help="An app.yaml; give it once for each application.")],
    listen: Annotated[str, typer.Option(help="Address that people reach.")],
    service: Annotated[str, typer.Option(help="Address and port of the trust service, as the gateway reaches it.")],
    certificate: Annotated[
        list[str], typer.Option(help="HOST=CERTIFICATE,KEY (PEM files); give it once for each application.")
    ],
    port: Annotated[int, typer.Option(help="Port that people reach.")] = 443,
    control_port: Annotated[
        int | None, typer.Option(help="Rehearsal only: a listener with the session cache on.")
    ] = None,
) -> None:
    """Write the nginx configuration of a gateway and test it with `nginx -t`."""
    from deploy import gatewaying

    path = gatewaying.write_configuration(
        directory=directory,
        applications=app_file,
        certificates=certificate,
        listen=listen,
        service=service,
        port=port,
        control_port=control_port,
    )
    say(f"nginx -c {path}")
