"""What somebody holds in keys (``core.registry.holding.Holder``).

Of a key: itself, by label or SubjectPublicKeyInfo hash. Of a person: the shares of a custody. No custody is kept yet,
so a person holds none; the place where they will be told is here.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from core.identity import PersonId
from core.registry.holding import Holding
from hsm import inventory


class Keys:
    """Implements ``core.registry.holding.Holder`` over the inventory's file; the signer is not asked."""

    def __init__(self, path: Path) -> None:
        """Read the inventory at ``path`` at each question."""
        self._path = path

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:  # noqa: ARG002
        """Return the keys with this label or hash. Raises ``Malformed`` when the inventory is damaged."""
        if kind != "key" or not self._path.exists():
            return []
        known = [entry.info for entry in inventory.read(self._path).values()]
        return [
            Holding("key", info.label, f"{info.algorithm} for {info.purpose}", "site", ends=False)
            for info in known
            if identifier in (info.label, info.spki_sha256)
        ]

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002
        actor: str,  # noqa: ARG002
        at: datetime,
    ) -> Sequence[Holding]:
        """Give up the shares of ``person``: there are none."""
        return self.holdings(session, "person", person, at)
