"""What a machine holds in ACME (``core.registry.holding.Holder``): its accounts, and keys that nobody has used yet.

Both come to nothing by themselves when the machine leaves the register, for every request asks it. People hold none.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, select

from core.identity import PersonId
from core.registry.holding import Holding
from pki.acme.models import AcmeAccount, AcmeKey
from pki.acme.state import State


class Enrolments:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the open accounts and keys of a device or a domain; the state of an account is that of now."""
        if kind not in ("device", "domain"):
            return []
        accounts = select(AcmeAccount).where(AcmeAccount.status == State.VALID.value, AcmeAccount.made_at <= at)
        keys = select(AcmeKey).where(AcmeKey.state == "open", AcmeKey.made_at <= at, AcmeKey.ends_at > at)
        if kind == "device":
            accounts, keys = accounts.where(AcmeAccount.holder == identifier), keys.where(AcmeKey.holder == identifier)
        else:
            accounts, keys = accounts.where(AcmeAccount.domain == identifier), keys.where(AcmeKey.domain == identifier)
        held = [
            Holding("acme-account", row.id, f"ACME account of {row.holder}", row.domain, ends=True)
            for row in session.exec(accounts.order_by(AcmeAccount.id))
        ]
        return held + [
            Holding("acme-key", row.id, f"ACME key for {row.holder}", row.domain, ends=True)
            for row in session.exec(keys.order_by(AcmeKey.id))
        ]

    def relinquish(
        self,
        session: Session,  # noqa: ARG002  # a person holds neither account nor key
        person: PersonId,  # noqa: ARG002
        *,
        successor: PersonId | None,  # noqa: ARG002
        actor: str,  # noqa: ARG002
        at: datetime,  # noqa: ARG002
    ) -> Sequence[Holding]:
        """Return nothing: accounts and keys are those of machines."""
        return []
