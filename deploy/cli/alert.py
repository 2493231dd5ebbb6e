"""Alerts and the sensor: ``alert list|show``, ``sensor run``."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import AsJson, connect, print_rows, print_thing, say
from deploy.client import items

app = typer.Typer(no_args_is_help=True, help="What crossed the border that should not have, and whose it was.")
sensor = typer.Typer(no_args_is_help=True, help="The sensor on a border.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List alerts, newest first: one line says what, who, which domain's ceiling, and who answers for it."""
    with connect() as client:
        rows = items(client.get("/api/v1/alert"))
    if as_json:
        print_rows(rows, (), as_json=True, empty="")
        return
    for row in rows:
        say(f"{row['at']}  {row['summary']}")
    if not rows:
        say("no alert")


@app.command()
def show(identifier: Annotated[str, typer.Argument(help="The alert's id.")], as_json: AsJson = False) -> None:
    """Show one alert."""
    with connect() as client:
        print_thing(client.get(f"/api/v1/alert/{identifier}"), as_json=as_json)


@sensor.command("run")
def run_sensor(
    interface: Annotated[list[str], typer.Option(help="Network interface to watch; give it once for each.")],
    directory: Annotated[Path, typer.Option(help="Where the sensor keeps its configuration, logs and spool.")],
) -> None:
    """Watch interfaces with Suricata and report to the centre, as the device that is logged in (GUOSUO_HOME)."""
    from deploy import sensing

    sensing.run(interfaces=interface, directory=directory)
