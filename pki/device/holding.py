"""What a machine holds to begin with (``core.registry.holding.Holder``): initial secrets that nobody has used yet.

They come to nothing by themselves when the machine leaves the register, for every request asks it. People hold none.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, select

from core.identity import PersonId
from core.registry.holding import Holding
from pki.device.models import DeviceSecret


class InitialSecrets:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the open secrets of a device or a domain."""
        if kind not in ("device", "domain"):
            return []
        secrets = select(DeviceSecret).where(
            DeviceSecret.state == "open", DeviceSecret.made_at <= at, DeviceSecret.ends_at > at
        )
        column = DeviceSecret.holder if kind == "device" else DeviceSecret.domain
        return [
            Holding("device-secret", row.id, f"initial secret for {row.holder}", row.domain, ends=True)
            for row in session.exec(secrets.where(column == identifier).order_by(DeviceSecret.id))
        ]

    def relinquish(
        self,
        session: Session,  # noqa: ARG002  # a person holds no such secret
        person: PersonId,  # noqa: ARG002
        *,
        successor: PersonId | None,  # noqa: ARG002
        actor: str,  # noqa: ARG002
        at: datetime,  # noqa: ARG002
    ) -> Sequence[Holding]:
        """Return nothing: secrets are those of machines."""
        return []
