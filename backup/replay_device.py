"""Initial secrets of machines, done again from their records (see ``replay.py``): what was used opens nothing again.

Transactions of CMP are not rebuilt: nothing is done by an old one, and a machine that does not find its own begins
another.
"""

import json
from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup import replay_status
from backup.mirror import Record
from core.clock import from_rfc3339
from pki.device.models import DeviceSecret

#: What is not rebuilt.
RECORDS_ONLY = frozenset({"pki.cmp.concluded", "pki.device.key-made", "pki.device.request-refused"})


def _made(session: Session, record: Record) -> bool:
    identifier = record.object.removeprefix("device-secret:")
    if session.get(DeviceSecret, identifier) is None:
        # The secret itself follows from what is in the row, and the installation's, which is in every point.
        session.add(
            DeviceSecret(
                id=identifier,
                holder_kind=replay_status.text(record, "holder_kind"),
                holder=replay_status.text(record, "holder"),
                domain=record.domain,
                hosts=json.dumps(record.details["hosts"]),
                addresses=json.dumps(record.details["addresses"]),
                actor=record.actor,
                made_at=record.at,
                ends_at=from_rfc3339(replay_status.text(record, "ends_at")),
            )
        )
    return True


def _used(session: Session, record: Record) -> bool:
    return _set(session, record, "used", replay_status.text(record, "request"))


def _given_back(session: Session, record: Record) -> bool:
    return _set(session, record, "open", "")


def _withdrawn(session: Session, record: Record) -> bool:
    return _set(session, record, "withdrawn", "")


def _set(session: Session, record: Record, state: str, request: str) -> bool:
    row = session.get(DeviceSecret, record.object.removeprefix("device-secret:"))
    if row is None:
        return False
    row.state, row.request = state, request
    session.add(row)
    return True


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.device.secret-given-back": _given_back,
    "pki.device.secret-made": _made,
    "pki.device.secret-used": _used,
    "pki.device.secret-withdrawn": _withdrawn,
}
