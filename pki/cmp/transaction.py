"""Transactions: begun once, so that nothing is done twice; a certificate waits in its own to be confirmed.

Whoever begins proves who they are; whoever goes on must show the same proof, and answer what was sent last.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, delete, select

from core.database import Database
from core.identity import Serial
from core.ledger import evidence
from core.registry import credential
from core.registry.credential import CredentialState
from pki import revocation
from pki.cmp import events, models
from pki.cmp.body import Confirmation
from pki.cmp.errors import BadAlgorithm, Confirmed, NoTransaction, OtherCertificate, OtherNonce, TransactionInUse
from pki.cmp.message import Header
from pki.cmp.models import CmpTransaction
from pki.device.asker import Asker
from pki.device.events import actor_of
from pki.models import Certificate
from pki.validation import element

#: How long a machine has to confirm; and how long a transaction is remembered, so that none comes twice.
CONFIRM, REMEMBERED = timedelta(minutes=5), timedelta(days=30)

#: Most transactions that one run of the job ends or removes.
_MOST = 500

_TABLE = SQLModel.metadata.tables[str(models.CmpTransaction.__tablename__)]

#: Hashes that a confirmation may name (RFC 9810, 5.3.18); without one it is that of the certificate's signature.
_HASHES = {
    b"": "sha256",
    element.octets_of("2.16.840.1.101.3.4.2.1"): "sha256",
    element.octets_of("2.16.840.1.101.3.4.2.2"): "sha384",
    element.octets_of("2.16.840.1.101.3.4.2.3"): "sha512",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction comes to: its state, our nonce, certReqId, and what was issued or filed."""

    state: str
    nonce: bytes
    request: int = 0
    serial: str = ""
    desk: str = ""


def begin(database: Database, header: Header, kind: int, asker: Asker, *, implicit: bool, at: datetime) -> None:
    """Take a transaction's identifier, for ever. Raises ``TransactionInUse``."""
    row = CmpTransaction(
        id=header.transaction.hex(),
        proof=asker.proof,
        holder=asker.holder.identifier,
        domain=asker.holder.domain,
        kind=kind,
        implicit=implicit,
        begun_at=at,
    )
    try:
        # By itself, and before anything is done: a message that comes twice finds the first.
        database.insert(_TABLE, [row.model_dump()])
    except IntegrityError as error:
        hint = "begin another transaction"
        raise TransactionInUse("a transaction with this identifier was begun before", hint=hint) from error
    # A crash here leaves a transaction that came to nothing: the machine begins another one.


def settle(session: Session, header: Header, outcome: Outcome, *, at: datetime) -> None:
    """Enter what a transaction came to."""
    row = session.get_one(CmpTransaction, header.transaction.hex(), with_for_update=True)
    row.state, row.nonce, row.request = outcome.state, outcome.nonce.hex(), outcome.request
    row.serial, row.desk = outcome.serial, outcome.desk
    row.ends_at = at + CONFIRM if outcome.state == "confirming" else None
    session.add(row)


def _hold(session: Session, header: Header, asker: Asker) -> CmpTransaction:
    """Return the transaction that a message goes on with, kept from anybody else until the end.

    Raises ``NoTransaction``, ``OtherNonce``.
    """
    row = session.get(CmpTransaction, header.transaction.hex(), with_for_update=True, populate_existing=True)
    if row is None or row.proof != asker.proof:
        raise NoTransaction("you have no such transaction", hint="begin one")
    if not header.answers or not hmac.compare_digest(row.nonce, header.answers.hex()):
        raise OtherNonce("the message does not answer the one that was sent last (recipNonce)")
    return row


def ask(session: Session, header: Header, asker: Asker, request: int, nonce: bytes) -> CmpTransaction:
    """Return the transaction that waits for officers, and give it another ``nonce``.

    Raises ``NoTransaction``, ``OtherNonce``.
    """
    row = _hold(session, header, asker)
    if row.state != "waiting" or row.request != request:
        raise NoTransaction("nothing waits here for officers")
    row.nonce = nonce.hex()
    session.add(row)
    return row


def confirm(session: Session, header: Header, asker: Asker, said: Confirmation, *, at: datetime) -> None:
    """Enter what a machine says of its certificate; one that it does not want is revoked.

    Raises ``NoTransaction``, ``OtherNonce``, ``Confirmed``, ``OtherCertificate``, ``BadAlgorithm``.
    """
    row = _hold(session, header, asker)
    if row.state == "confirmed":
        raise Confirmed("the certificate was confirmed before")
    if row.state != "confirming" or (row.ends_at is not None and at >= row.ends_at):
        raise NoTransaction("nothing waits for a confirmation here", hint="it comes within five minutes")
    if said.hash_algorithm not in _HASHES:
        raise BadAlgorithm(f"the hash {element.dotted(said.hash_algorithm)} of the confirmation is not taken")
    der = session.get_one(Certificate, row.serial).der
    hashed = hashlib.new(_HASHES[said.hash_algorithm], der).digest()
    if said.request != row.request or not hmac.compare_digest(hashed, said.hashed):
        raise OtherCertificate("the confirmation is of another certificate")
    _end(session, row, "confirmed" if said.accepted else "rejected", at)


def give_up(session: Session, header: Header, asker: Asker, *, at: datetime) -> None:
    """End a transaction that its machine gave up by an error; a certificate that waited is revoked.

    Raises ``NoTransaction``, ``OtherNonce``.
    """
    row = _hold(session, header, asker)
    if row.state == "confirming":
        _end(session, row, "rejected", at)
    elif row.state in ("open", "waiting"):
        row.state = "over"
        session.add(row)


def expire(session: Session, at: datetime) -> int:
    """Revoke certificates that nobody confirmed in time (RFC 9483, 4.1.1), forget old transactions; return how many."""
    late = select(CmpTransaction).where(CmpTransaction.state == "confirming", col(CmpTransaction.ends_at) <= at)
    rows: Sequence[CmpTransaction] = session.exec(late.limit(_MOST).with_for_update()).all()
    for row in rows:
        _end(session, row, "unconfirmed", at)
    old = select(CmpTransaction.id).where(
        col(CmpTransaction.begun_at) <= at - REMEMBERED, col(CmpTransaction.state).not_in(("confirming", "waiting"))
    )
    identifiers = session.exec(old.limit(_MOST)).all()
    session.connection().execute(delete(CmpTransaction).where(col(CmpTransaction.id).in_(identifiers)))
    return len(rows)


def _end(session: Session, row: CmpTransaction, state: str, at: datetime) -> None:
    row.state, row.ends_at = state, None
    session.add(row)
    evidence.append(session, events.concluded(row), at=at)
    held = credential.find(session, Serial(row.serial))
    if state != "confirmed" and held is not None and held.state != CredentialState.REVOKED:
        actor = actor_of(row.holder)
        revocation.revoke(session, Serial(row.serial), reason="cessation-of-operation", actor=actor, at=at)
