"""What becomes of transactions, as evidence; certificates and revocations have records of their own."""

from core.ledger.entry import Event
from pki.cmp.models import CmpTransaction
from pki.device.events import actor_of


def concluded(row: CmpTransaction) -> Event:
    """A machine confirmed its certificate, rejected it, or said nothing in time; the last two revoke it."""
    details = {"state": row.state, "serial": row.serial, "transaction": row.id}
    about = f"certificate:{row.serial}"
    result = "done" if row.state == "confirmed" else "refused"
    return Event("pki.cmp.concluded", actor_of(row.holder), about, row.domain, result=result, details=details)
