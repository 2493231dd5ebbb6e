"""What is watched for somebody (``core.registry.holding.Holder``): sensors, and the leaks they told of.

A person holds no alert but through a post: each is a duty of the post that answers for it, and follows it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core.identity import PersonId
from core.registry.holding import Holding
from core.registry.models import Device, System
from monitor.models import Finding, Sensor

#: Most alerts of a domain that are told one by one, the newest first.
_MOST = 1000


class Watched:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the sensors of a domain and the alerts in it up to a time, or the sensor that a device is."""
        match kind:
            case "domain":
                return [*_sensors(session, identifier), *_alerts(session, identifier, at)]
            case "device":
                found = session.get(Sensor, identifier)
                return [] if found is None else [Holding("sensor", found.name, "sensor", "", ends=False)]
            case _:
                return []

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002
        actor: str,  # noqa: ARG002
        at: datetime,
    ) -> Sequence[Holding]:
        """Give up nothing: what is watched for a person is a duty of a post."""
        return self.holdings(session, "person", person, at)


def _sensors(session: Session, domain: str) -> list[Holding]:
    statement = (
        select(Sensor, Device)
        .join(Device, col(Device.id) == col(Sensor.name))
        .join(System, col(System.id) == col(Device.system))
        .where(System.domain == domain)
        .order_by(Sensor.name)
    )
    return [
        Holding("sensor", sensor.name, device.name, domain, ends=False) for sensor, device in session.exec(statement)
    ]


def _alerts(session: Session, domain: str, at: datetime) -> list[Holding]:
    statement = select(Finding).where(Finding.domain == domain, Finding.at <= at)
    rows = session.exec(statement.order_by(col(Finding.at).desc(), Finding.id).limit(_MOST))
    return [Holding("alert", one.id, f"leak at {one.at:%Y-%m-%d %H:%M}", domain, ends=False) for one in rows]
