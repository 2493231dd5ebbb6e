"""Keys, accounts and moved renewals of ACME, done again from their records (see ``replay.py``).

Whose key was used or withdrawn binds nobody again, and a closed account stays closed. Orders are not rebuilt: nothing
is issued by an old one, and a client that does not find its order makes another; contacts stand in no record.
"""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup.mirror import Record
from core.clock import from_rfc3339
from core.identity import Serial
from core.registry import credential
from pki.acme.jwk import Jwk, parse_jwk
from pki.acme.models import AcmeAccount, AcmeKey, AcmeRenewal
from pki.acme.state import State

#: What is not rebuilt.
RECORDS_ONLY = frozenset(
    {"pki.acme.account-changed", "pki.acme.authorization-ended", "pki.acme.order-concluded", "pki.acme.order-made"}
)


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _key_made(session: Session, record: Record) -> bool:
    identifier = record.object.removeprefix("acme-key:")
    if session.get(AcmeKey, identifier) is None:
        # The key itself follows from what is in the row, and the installation's secret, which is in every point.
        session.add(
            AcmeKey(
                id=identifier,
                holder_kind=_text(record, "holder_kind"),
                holder=_text(record, "holder"),
                domain=record.domain,
                actor=record.actor,
                made_at=record.at,
                ends_at=from_rfc3339(_text(record, "ends_at")),
            )
        )
    return True


def _key_withdrawn(session: Session, record: Record) -> bool:
    row = session.get(AcmeKey, record.object.removeprefix("acme-key:"))
    if row is None:
        return False
    if row.state == "open":
        row.state = "withdrawn"
        session.add(row)
    return True


def _account_made(session: Session, record: Record) -> bool:
    identifier, key = record.object.removeprefix("acme-account:"), _jwk(record)
    if session.get(AcmeAccount, identifier) is None:
        session.add(
            AcmeAccount(
                id=identifier,
                thumbprint=key.thumbprint,
                jwk=key.text,
                status=State.VALID.value,
                holder_kind=_text(record, "holder_kind"),
                holder=_text(record, "holder"),
                domain=record.domain,
                key=_text(record, "key"),
                made_at=record.at,
            )
        )
    used = session.get(AcmeKey, _text(record, "key"))
    if used is not None:
        # Whoever read the key in the meantime binds nothing with it.
        used.state, used.account = "used", identifier
        session.add(used)
    return True


def _account_rekeyed(session: Session, record: Record) -> bool:
    row, key = session.get(AcmeAccount, record.object.removeprefix("acme-account:")), _jwk(record)
    if row is None:
        return False
    row.jwk, row.thumbprint = key.text, key.thumbprint
    session.add(row)
    return True


def _account_closed(session: Session, record: Record) -> bool:
    row = session.get(AcmeAccount, record.object.removeprefix("acme-account:"))
    if row is None:
        return False
    row.status = State.DEACTIVATED.value
    session.add(row)
    return True


def _renewal_moved(session: Session, record: Record) -> bool:
    serial = Serial(record.object.removeprefix("certificate:"))
    if credential.find(session, serial) is None:
        return False
    starts_at, ends_at = from_rfc3339(_text(record, "starts_at")), from_rfc3339(_text(record, "ends_at"))
    row = session.get(AcmeRenewal, serial) or AcmeRenewal(
        serial=serial, starts_at=starts_at, ends_at=ends_at, actor=record.actor, at=record.at
    )
    row.starts_at, row.ends_at = starts_at, ends_at
    row.explanation, row.actor, row.at = _text(record, "explanation"), record.actor, record.at
    session.add(row)
    return True


def _jwk(record: Record) -> Jwk:
    content = record.details["jwk"]
    if not isinstance(content, Mapping):
        raise TypeError("`jwk` is no object")
    key = parse_jwk(dict(content))
    if key.thumbprint != _text(record, "thumbprint"):
        raise ValueError("the key does not have the thumbprint that stands beside it")
    return key


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.acme.account-closed": _account_closed,
    "pki.acme.account-made": _account_made,
    "pki.acme.account-rekeyed": _account_rekeyed,
    "pki.acme.key-made": _key_made,
    "pki.acme.key-withdrawn": _key_withdrawn,
    "pki.renewal.moved": _renewal_moved,
}
