"""``guosuo sensor run``: the sensor of this machine, with the service as its centre over mutual TLS.

It acts as the device that is logged in. Each call opens a connection of its own: threads share nothing, and neither a
centre that was started again nor a certificate that was renewed needs any care.
"""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from core import durable
from core.clock import SystemClock
from core.errors import Conflict, Forbidden, Malformed, Unavailable
from core.identity import SubjectKind
from core.ledger.entry import JsonValue
from deploy import login
from deploy.client import Answer, ServiceClient
from monitor import agent
from monitor.settings import SensorSettings
from monitor.sighting import Blind, Leak, Plan

#: Seconds until a centre that says nothing counts as away: the engine is not looked after in that time.
PATIENCE = 5.0

#: File with the sensor's name, for a start without the centre.
NAME = "name"


def run(*, interfaces: Sequence[str], directory: Path) -> None:
    """Watch ``interfaces`` until SIGTERM or SIGINT; everything that is kept is under ``directory``.

    Raises ``Unauthenticated`` when nobody is logged in, ``Forbidden`` when it is no sensor, ``Conflict`` when
    ``directory`` is another sensor's or in use, ``Malformed`` for unfit settings, and ``Unavailable`` when Suricata
    does not start, the disk refuses, or there is neither a centre nor a plan from before.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    place = directory.resolve()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = _settings(own_name(connect, place), place, interfaces)
        if not stop.is_set():
            agent.run(settings, ServiceCentre(connect), SystemClock(), stop, random=os.urandom)
    except OSError as error:
        raise Unavailable(f"the sensor's directory `{place}` cannot be used: {error}") from error


def connect() -> ServiceClient:
    """Return a client of the service as whoever is logged in now."""
    return ServiceClient(login.load(login.home()), timeout=PATIENCE)


def own_name(connected: Callable[[], ServiceClient], directory: Path) -> str:
    """Return whom the centre takes us for, or while it is away what it said before.

    Raises ``Forbidden``, ``Conflict``, or ``Unavailable`` when the centre is away and never said it.
    """
    kept = directory / NAME
    known = kept.read_text(encoding="utf-8").strip() if kept.is_file() else ""
    try:
        with connected() as client:
            identity = client.get("/api/v1/identity")
    except Unavailable:
        if not known:
            raise
        return known
    name = str(identity.get("id", ""))
    if identity.get("kind") != SubjectKind.SENSOR:
        detail = f"`{name}` is logged in as {identity.get('kind')}, and only a sensor reports what crossed a border"
        raise Forbidden(detail, hint="log in with the certificate of a sensor", reason="no-sensor")
    if known and known != name:
        detail = f"the directory `{directory}` belongs to the sensor `{known}`, and `{name}` is logged in"
        raise Conflict(detail, hint="give each sensor a directory of its own")
    if not known:
        durable.write(kept, f"{name}\n".encode())
    return name


class ServiceCentre:
    """The centre (``monitor.sighting.Centre``) as the service's interface."""

    def __init__(self, connected: Callable[[], ServiceClient]) -> None:
        """Speak through the clients that ``connected`` makes."""
        self._connected = connected

    def report(self, sightings: list[Leak | Blind]) -> None:
        """Return when all are committed. Raises ``Malformed`` when one cannot be read, ``Unavailable`` and the like."""
        body: dict[str, JsonValue] = {"sightings": [one.model_dump(mode="json") for one in sightings]}
        with self._connected() as client:
            receipt = client.post("/api/v1/sighting", body)
        _check_receipt(receipt, sightings)

    def plan(self) -> Plan:
        """Return what to watch. Raises ``Unavailable``, also for an answer that is no plan."""
        with self._connected() as client:
            answer = client.get("/api/v1/sensor/plan")
        try:
            return Plan.model_validate(answer)
        except ValidationError as error:
            raise Unavailable("the centre's plan cannot be read", hint="are both of the same version?") from error


def _check_receipt(receipt: Answer, sightings: list[Leak | Blind]) -> None:
    outcomes = receipt.get("outcomes")
    missing = {one.id for one in sightings} - set(outcomes if isinstance(outcomes, dict) else ())
    if missing:
        raise Unavailable(f"the centre's receipt leaves out {len(missing)} of {len(sightings)} sightings")


def _settings(name: str, directory: Path, interfaces: Sequence[str]) -> SensorSettings:
    try:
        return SensorSettings(name=name, directory=directory, interfaces=list(interfaces))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"`{place}` of the sensor: {first['msg'].lower()}") from error
