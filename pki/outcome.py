"""Intentions and outcomes of issuance in the store, many at once: one statement a table, whatever their number."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, update
from sqlmodel import Session, SQLModel, col

from core.errors import TrustError
from core.identity import Serial
from core.ledger import evidence
from core.registry.credential import Credential
from pki import entered, events, recheck
from pki.models import Certificate, IssuanceIntent
from pki.planned import Planned


def intend(session: Session, planned: Sequence[Planned], *, at: datetime) -> None:
    """Record what is about to be signed: from then on its serial numbers are known."""
    _insert(session, IssuanceIntent, [_intention(one, at) for one in planned])
    evidence.insert_all(session, [evidence.prepare(events.intended(one), at=at) for one in planned])


def conclude(session: Session, signed: Sequence[tuple[Planned, bytes]], *, at: datetime) -> Mapping[Serial, TrustError]:
    """Record what was signed (DER); return, by serial number, what could not be: that is not to be handed out."""
    refused = recheck.refuse(session, [planned for planned, _der in signed], at)
    good = [(planned, der) for planned, der in signed if planned.serial not in refused]
    if not good:
        return refused
    rows = [entered.enter(planned, der) for planned, der in good]
    serials = [planned.serial for planned, _der in good]
    changed = update(IssuanceIntent).where(col(IssuanceIntent.serial).in_(serials)).values(state="issued")
    session.connection().execute(changed)
    _insert(
        session,
        Certificate,
        [{"serial": one.serial, "issuer": one.issuer, "issued_at": at, "der": der} for one, der in good],
    )
    _insert(session, Credential, [one.row for one in rows])
    told = [events.issued(one, der, actor=planned.actor) for one, (planned, der) in zip(rows, good, strict=True)]
    evidence.insert_all(session, [evidence.prepare(event, at=at) for event in told])
    return refused


def _intention(planned: Planned, at: datetime) -> dict[str, object]:
    return {
        "serial": planned.serial,
        "issuer": planned.issuer,
        "profile": planned.profile,
        "holder_kind": planned.admitted.holder.kind,
        "holder": planned.holder,
        "domain": planned.domain,
        "actor": planned.actor,
        "at": at,
        "tbs": planned.prepared.tbs,
        "state": "open",
        "request": planned.request,
        "profiles": planned.profiles,
        "renews": planned.renews,
    }


def _insert(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> None:
    session.connection().execute(insert(table), list(rows))
