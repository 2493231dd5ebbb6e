"""Renewal information (RFC 9773): the usual time of each certificate, and what an incident moved."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from sqlmodel import Session, col, select

from core.errors import Conflict, Malformed
from core.identity import Serial
from core.ledger import evidence
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from pki import issuer, plan
from pki.acme import events, window
from pki.acme.errors import AlreadyReplaced, NotHere, NotYours
from pki.acme.identifier import Identifier
from pki.acme.models import AcmeOrder, AcmeRenewal
from pki.acme.order import identifiers_of
from pki.acme.state import State
from pki.acme.window import Window
from pki.issuer import ISSUING
from pki.names import Holder

#: Most certificates that one act moves.
MOST = 10_000


def find(session: Session, serial: Serial) -> Window:
    """Return when a certificate is to be renewed; raises ``NotHere``."""
    held = credential.find(session, serial)
    if held is None:
        raise NotHere("there is no such certificate")
    if held.state == CredentialState.REVOKED:
        return window.at_once(held.revoked_at or held.not_before)
    moved = session.get(AcmeRenewal, serial)
    if moved is not None:
        return Window(moved.starts_at, moved.ends_at, moved.explanation)
    return window.usual(held.not_before, held.not_after)


def move(
    session: Session,
    serials: Sequence[Serial],
    *,
    within: timedelta,
    explanation: str,
    actor: str,
    at: datetime,
) -> list[Credential]:
    """Have certificates renewed from now on and ``within`` some time, whatever their age; return them.

    All or none: raises ``NotFound`` for one that there is not, ``Conflict`` for one that is revoked or has ended.
    """
    if not 1 <= len(set(serials)) <= MOST:
        raise Malformed(f"from 1 to {MOST} certificates are moved at once")
    rows = [credential.get(session, serial) for serial in dict.fromkeys(serials)]
    for held in rows:
        if held.state == CredentialState.REVOKED or held.not_after <= at:
            raise Conflict(f"the certificate `{held.serial}` is not good any more", hint="there is nothing to renew")
        row = session.get(AcmeRenewal, held.serial) or AcmeRenewal(
            serial=held.serial, starts_at=at, ends_at=at, actor=actor, at=at
        )
        row.starts_at, row.ends_at = at.replace(microsecond=0), (at + within).replace(microsecond=0)
        row.explanation, row.actor, row.at = explanation, actor, at
        session.add(row)
        evidence.append(session, events.renewal_moved(row, holder=held.holder, domain=held.domain), at=at)
    return rows


def check_replaced(session: Session, serial: Serial, holder: Holder, ordered: Sequence[Identifier]) -> None:
    """Raise unless an order may say that it replaces a certificate (RFC 9773, 5).

    Raises ``NotHere``, ``NotYours``, ``AlreadyReplaced``.
    """
    held = credential.find(session, serial)
    if held is None:
        raise NotHere("there is no certificate that could be replaced")
    if (held.holder_kind, held.holder) != (holder.kind, holder.identifier):
        raise NotYours("the certificate that is to be replaced is somebody else's")
    earlier = session.exec(select(AcmeOrder).where(AcmeOrder.serial == serial)).first()
    if earlier is not None and not set(identifiers_of(earlier)) & set(ordered):
        raise NotYours("the certificate that is to be replaced has none of these names")
    others = select(AcmeOrder).where(AcmeOrder.replaces == serial, col(AcmeOrder.status) != State.INVALID.value)
    if session.exec(others).first() is not None:
        raise AlreadyReplaced("another order replaces this certificate")


def key_identifiers(session: Session) -> Mapping[bytes, str]:
    """Return our issuing authorities by their key identifiers, by which their certificates are named."""
    names = [one.name for one in plan.made(session) if one.kind == ISSUING]
    return {_identifier(x509.load_der_x509_certificate(issuer.get(session, name).der)): name for name in names}


def key_identifier(session: Session, serial: str) -> bytes:
    """Return the key identifier of the authority that issued a certificate; of the default one when there is none."""
    held = credential.find(session, Serial(serial)) if serial else None
    name = held.issuer if held else ISSUING
    return _identifier(x509.load_der_x509_certificate(issuer.get(session, name).der))


def find_named(session: Session, name: str) -> Serial:
    """Return the serial number in a certificate's name. Raises ``BadRequest``, ``NotHere``."""
    return window.parse_name(name, key_identifiers(session))


def _identifier(authority: x509.Certificate) -> bytes:
    return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
