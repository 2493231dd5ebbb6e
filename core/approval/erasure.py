"""The act ``evidence.body.erase``: what is personal or classified about a record goes, its record stays and verifies.

Body: ``record`` (the id of the record). Never while the retention or a legal hold keeps the record.
"""

import re
from datetime import datetime

from sqlmodel import Session, select

from core import rule
from core.approval.acts import Act, Body, Concern
from core.errors import Malformed
from core.identity import SITE, PersonId
from core.ledger import body as bodies
from core.ledger import evidence, selection
from core.ledger.entry import Event
from core.ledger.errors import BodyErased, Kept, UnknownRecord
from core.ledger.models import EvidenceRow
from core.ledger.register import Register
from core.ledger.retention import Keeps, Retention
from core.signed import Json

NAME = "evidence.body.erase"

#: What an erasure leaves in the evidence; it is never purged.
BODY_ERASED = "ledger.body.erased"


def act(register: Register, retention: Retention) -> Act:
    """Return the act under the retention's numbers."""

    def concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
        return Concern(object=f"record:{_parse(body)}", domain=SITE)

    def consequences(session: Session, body: Body, at: datetime) -> list[str]:
        row = _check(session, body, selection.rule(session, register, retention, at))
        number = "not yet numbered" if row.sequence is None else f"number {row.sequence}"
        return [
            f"what record `{row.identifier}` ({row.type}, {number}) says about people can never be read again",
            "the record itself stays, verifies, and tells that its body was erased, by whom and why",
            "copies in recovery points made before stay until those points expire",
        ]

    def carry_out(
        session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> dict[str, Json]:
        row = _check(session, body, selection.rule(session, register, retention, at))
        held = bodies.get(session, row.identifier)
        details = {"record": row.identifier, "proposer": proposer, "approver": approver}
        event = Event(BODY_ERASED, approver, f"record:{row.identifier}", row.domain, details=details)
        erased = evidence.append(session, event, at=at)
        bodies.wipe(session, held, by=approver, at=at)
        return {"record": row.identifier, "erasure": erased}

    return Act(name=NAME, concern=concern, consequences=consequences, carry_out=carry_out)


def _parse(body: Body) -> str:
    record = body.get("record")
    if set(body) != {"record"} or not isinstance(record, str) or not re.fullmatch(r"[0-9a-f]{32}", record):
        raise Malformed("the body names `record`, the id of a record (32 hexadecimal digits), and nothing else")
    return record


def _check(session: Session, body: Body, by: selection.Rule) -> EvidenceRow:
    """Return the record. Raises ``UnknownRecord``, ``NoBody``, ``BodyErased``, ``Kept``."""
    identifier = _parse(body)
    row = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == identifier)).one_or_none()
    if row is None:
        raise UnknownRecord(f"evidence holds no record `{identifier}`", hint="see `guosuo evidence find`")
    held = bodies.get(session, identifier)
    if held.erased_at is not None:
        raise BodyErased(f"the body of record `{identifier}` was erased before", about=f"record:{identifier}")
    why = by.keeps_body(row)
    if why in (Keeps.YOUNG, Keeps.CERTIFICATE):
        raise Kept(
            f"record `{identifier}` is still within its retention",
            rule=str(rule.RETENTION if why is Keeps.YOUNG else rule.CERTIFICATION),
            about=f"record:{identifier}",
        )
    if why is Keeps.HOLD:
        raise Kept(
            f"a legal hold keeps record `{identifier}`",
            hint="see `guosuo evidence hold list`",
            rule=str(rule.HELD),
            about=f"record:{identifier}",
        )
    return row
