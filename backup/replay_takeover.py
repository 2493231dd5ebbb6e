"""Take-overs after the cut, done again from the record: what was carried out. What still waited is brought once more.

The old authority's folder is not in any record: a plan that was agreed on and not carried out to its end has no items
here, and ``guosuo takeover update`` brings what is missing.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup import replay_status
from backup.mirror import Record
from core.clock import from_rfc3339
from core.identity import Serial
from core.registry import credential
from core.registry.credential import Credential
from pki import hierarchy, namespace, planning
from pki.models import Authority, AuthorityPlan, Certificate, CertificateHold, Revocation
from pki.plan import Plan
from pki.takeover import carrying
from pki.takeover.models import Takeover, TakeoverPlan


def _begun(session: Session, record: Record) -> bool:
    name = record.object.removeprefix("authority:")
    der = base64.b64decode(replay_status.text(record, "certificate"), validate=True)
    floor = replay_status.number(record, "floor")
    if session.get(Takeover, name) is None:
        session.add(_takeover(record, name, der))
    if session.get(AuthorityPlan, replay_status.number(record, "place")) is None:
        _plan(session, record, name)
    if session.get(Authority, name) is None:
        key, serial = replay_status.text(record, "key"), Serial(replay_status.text(record, "serial"))
        above = replay_status.text(record, "issuer")
        hierarchy.enter(session, Authority(name=name, key=key, serial=serial, der=der, issuer=above))
    carrying.raise_numbers(session, name, floor, record.at)
    return True


def _takeover(record: Record, name: str, der: bytes) -> Takeover:
    return Takeover(
        authority=name,
        key=replay_status.text(record, "key"),
        domains=replay_status.text(record, "domains"),
        certificate_sha256=hashlib.sha256(der).hexdigest(),
        number=replay_status.number(record, "number"),
        begun_at=record.at,
    )


def _plan(session: Session, record: Record, name: str) -> None:
    made = Plan(
        name=name,
        parent=name,
        path_length=replay_status.number(record, "path_length"),
        domains=tuple(json.loads(replay_status.text(record, "domains"))),
        space=namespace.parse(replay_status.text(record, "space")),
    )
    people, place = (replay_status.text(record, "proposer"), record.actor), replay_status.number(record, "place")
    planning.enter(session, made, place, people=people, basis=replay_status.text(record, "basis"), at=record.at)


def _moved(session: Session, record: Record) -> bool:
    of = session.get(Takeover, record.object.removeprefix("authority:"))
    if of is None:
        return False
    of.number = max(of.number, replay_status.number(record, "number"))
    session.add(of)
    carrying.raise_numbers(session, of.authority, replay_status.number(record, "floor"), record.at)
    return True


def _entered(session: Session, record: Record) -> bool:
    serial, issuer = replay_status.serial_of(record), replay_status.text(record, "issuer")
    der = base64.b64decode(replay_status.text(record, "certificate"), validate=True)
    if hashlib.sha256(der).hexdigest() != replay_status.text(record, "certificate_sha256"):
        raise ValueError("the certificate does not have the hash that stands beside it")
    begun = from_rfc3339(replay_status.text(record, "not_before"))
    if session.get(Certificate, serial) is None:
        session.add(Certificate(serial=serial, issuer=issuer, issued_at=begun, der=der))
    if credential.find(session, serial) is None:
        names = ("holder_kind", "holder", "domain", "profile", "certificate_sha256", "spki_sha256")
        texts = {name: replay_status.text(record, name) for name in names}
        times = {"not_before": begun, "not_after": from_rfc3339(replay_status.text(record, "not_after"))}
        session.add(Credential.model_validate({"serial": serial, "issuer": issuer, **texts, **times}))
    return True


def _revoked(session: Session, record: Record) -> bool:
    serial, since = replay_status.serial_of(record), from_rfc3339(replay_status.text(record, "since"))
    if session.get(Revocation, serial) is None:
        issuer, word = replay_status.text(record, "issuer"), replay_status.text(record, "reason")
        carrying.enter_revocation(session, serial, issuer, word, since, record.at)
    return True


def _held(session: Session, record: Record) -> bool:
    serial = replay_status.serial_of(record)
    one = credential.find(session, serial)
    if one is None:
        return False
    if session.get(CertificateHold, serial) is None and session.get(Revocation, serial) is None:
        since, until = (from_rfc3339(replay_status.text(record, name)) for name in ("since", "until"))
        carrying.enter_hold(session, one, since, until, record.at)
    return True


def _agreed(session: Session, record: Record) -> bool:
    """A plan that came with the store is carried out; one that did not is brought again, and agreed on again."""
    row = session.get(TakeoverPlan, replay_status.text(record, "plan"))
    if row is not None and row.state == "sealed":
        row.state, row.approver = "open", record.actor
        row.actor, row.basis = replay_status.text(record, "proposer"), replay_status.text(record, "basis")
        session.add(row)
    return row is not None


def _concluded(session: Session, record: Record) -> bool:
    """What it brought is there from its own records; items that the cut still held are looked at once more."""
    return session.get(TakeoverPlan, replay_status.text(record, "plan")) is not None or bool(
        session.get(Takeover, record.object.removeprefix("authority:"))
    )


def _finished(session: Session, record: Record) -> bool:
    of = session.get(Takeover, record.object.removeprefix("authority:"))
    if of is None:
        return False
    of.state, of.finished_at, of.number = "finished", record.at, replay_status.number(record, "number")
    session.add(of)
    return True


#: Parts of a plan that nobody agreed on are brought again.
RECORDS_ONLY = frozenset({"pki.takeover.staged"})

HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.takeover.agreed": _agreed,
    "pki.takeover.begun": _begun,
    "pki.takeover.concluded": _concluded,
    "pki.takeover.entered": _entered,
    "pki.takeover.finished": _finished,
    "pki.takeover.held": _held,
    "pki.takeover.moved": _moved,
    "pki.takeover.revoked": _revoked,
}
