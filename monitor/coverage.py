"""Which sensors watch, and when they did not: the centre's own book of blind windows.

A sensor tells of its windows; that it tells nothing at all is noticed here.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.clock import to_rfc3339
from core.ledger import evidence
from core.ledger.entry import Event, JsonValue
from monitor import routing
from monitor.events import MonitorEvent
from monitor.finding import Outcome
from monitor.models import Sensor, SensorWindow
from monitor.sighting import Blind

#: A sensor that was not heard for so long is blind as far as we know: it reports at least every ten seconds.
SILENCE = timedelta(seconds=20)

_SILENT = "sensor-silent"


def hear(session: Session, name: str, *, now: datetime) -> None:
    """Note that a sensor was heard, and keep its row locked until the transaction ends."""
    sensor = session.exec(select(Sensor).where(Sensor.name == name).with_for_update()).first()
    if sensor is None:
        sensor = Sensor(name=name, first_heard=now, last_heard=now)
    sensor.last_heard = max(sensor.last_heard, now)
    session.add(sensor)
    session.flush()
    for window in _open_windows(session, name, _SILENT):
        window.until, window.revision = now, window.revision + 1
        session.add(window)
        _record(session, window, now=now)


def enter(session: Session, blind: Blind, *, now: datetime) -> Outcome:
    """Enter a window that a sensor told of, or its end."""
    known = session.get(SensorWindow, blind.id)
    if known is not None and known.revision >= blind.revision:
        return Outcome.KNOWN
    window = known or SensorWindow(id=blind.id, revision=0, sensor=blind.sensor, since=blind.at, cause=blind.cause)
    window.revision, window.until = blind.revision, blind.until
    window.dropped = max(window.dropped, blind.dropped)
    session.add(window)
    session.flush()
    _record(session, window, now=now)
    return Outcome.AMENDED if known else Outcome.ENTERED


def notice_silence(session: Session, *, now: datetime) -> int:
    """Open a window for every sensor that has not been heard; return how many were opened."""
    silent = session.exec(select(Sensor).where(Sensor.last_heard < now - SILENCE).with_for_update()).all()
    opened = 0
    for sensor in silent:
        if _open_windows(session, sensor.name, _SILENT):
            continue
        identifier = f"{sensor.name}:silent:{to_rfc3339(sensor.last_heard).replace(':', '')}"
        window = SensorWindow(id=identifier, revision=1, sensor=sensor.name, since=sensor.last_heard, cause=_SILENT)
        session.add(window)
        session.flush()
        _record(session, window, now=now)
        opened += 1
    return opened


def sensors(session: Session) -> Sequence[Sensor]:
    """Return every sensor that ever reported, by name."""
    return session.exec(select(Sensor).order_by(Sensor.name)).all()


def windows(session: Session, *, limit: int) -> Sequence[SensorWindow]:
    """Return blind windows, the latest first."""
    return session.exec(select(SensorWindow).order_by(col(SensorWindow.since).desc()).limit(limit)).all()


def is_blind(session: Session, name: str) -> bool:
    """Say whether a sensor has an open window."""
    return bool(_open_windows(session, name))


def _open_windows(session: Session, name: str, cause: str = "") -> Sequence[SensorWindow]:
    statement = select(SensorWindow).where(SensorWindow.sensor == name, col(SensorWindow.until).is_(None))
    if cause:
        statement = statement.where(SensorWindow.cause == cause)
    return session.exec(statement).all()


def _record(session: Session, window: SensorWindow, *, now: datetime) -> None:
    kind = MonitorEvent.SENSOR_SEEING if window.until else MonitorEvent.SENSOR_BLIND
    details: dict[str, JsonValue] = {
        "window": window.id,
        "since": to_rfc3339(window.since),
        "until": to_rfc3339(window.until) if window.until else "",
        "cause": window.cause,
        "dropped": window.dropped,
    }
    event = Event(kind.value, actor=f"device:{window.sensor}", object=f"sensor:{window.sensor}", details=details)
    evidence.append(session, event, at=now)
    routing.tell_window(session, window, now=now)
