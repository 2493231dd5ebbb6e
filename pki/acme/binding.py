"""External account binding (RFC 8555, 7.3.4): a key, made by an officer for a holder, binds one new account to it.

The key is worked out from its row and a secret of the installation, and is written down nowhere: who reads the store
cannot bind anything, and who changes a row (another holder, a later end) makes another key of it.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import Session

from core.clock import to_rfc3339
from core.errors import NotFound
from core.identity import SubjectKind
from core.ledger import evidence
from pki import machine, profileset
from pki.acme import encoding, events, jws
from pki.acme.errors import BadBinding, BadRequest
from pki.acme.jwk import Jwk, parse_jwk
from pki.acme.models import AcmeKey
from pki.errors import NeedsSecond
from pki.names import Holder

#: Kinds of holders that fetch certificates by themselves.
KINDS = (SubjectKind.APPLICATION, SubjectKind.SERVICE)


def find_holder(session: Session, name: str) -> Holder:
    """Return the machine that ``name`` means. Raises ``NotInRegister``, ``WrongProfile``."""
    return machine.find(session, name, KINDS, "ACME is")


def check_officers(session: Session, holder: Holder) -> None:
    """Raise ``NeedsSecond`` for a machine whose certificates two officers agree to: a binding is one officer's word."""
    if profileset.active(session).get(holder.kind).officers(holder.level) > 1:
        raise NeedsSecond(
            f"certificates of `{holder.identifier}` take two officers, and ACME asks one",
            hint="file at the desk, or let the machine ask over EST or CMP: such requests wait there",
        )


def make(
    session: Session, holder: Holder, *, actor: str, at: datetime, life: timedelta, random: Callable[[int], bytes]
) -> AcmeKey:
    """Make a key for ``holder`` that may be used once until its end."""
    row = AcmeKey(
        id=random(16).hex(),
        holder_kind=holder.kind,
        holder=holder.identifier,
        domain=holder.domain,
        actor=actor,
        made_at=at,
        ends_at=(at + life).replace(microsecond=0),
    )
    session.add(row)
    evidence.append(session, events.key_made(row), at=at)
    return row


def secret_of(row: AcmeKey, secret: bytes) -> bytes:
    """Return the key itself: 32 octets that follow from all that the row promises.

    The first begins with a zero bit: written in base64url the key then begins with a letter. One in sixty-four would
    begin with a hyphen otherwise, and a command line takes that for an option.
    """
    promised = "\n".join(("acme key", row.id, row.holder_kind, row.holder, to_rfc3339(row.ends_at)))
    octets = hmac.digest(secret, promised.encode(), "sha256")
    return bytes([octets[0] & 0x7F, *octets[1:]])


def withdraw(session: Session, identifier: str, *, actor: str, at: datetime) -> AcmeKey:
    """Let a key that was not used bind nobody. Raises ``NotFound``, ``BadBinding`` when it was used."""
    row = session.get(AcmeKey, identifier, with_for_update=True)
    if row is None:
        raise NotFound(f"no key has the id `{identifier[:40]}`", hint="see `guosuo acme list`")
    if row.state != "open":
        raise BadBinding(f"the key `{row.id}` is {row.state}", hint="close its account instead")
    row.state = "withdrawn"
    session.add(row)
    evidence.append(session, events.key_withdrawn(row, actor=actor), at=at)
    return row


def bind(
    session: Session, content: object, *, key: Jwk, url: str, account: str, secret: bytes, at: datetime
) -> AcmeKey:
    """Use the key of a binding for the account with ``key``, and return its row. Raises ``BadBinding``."""
    try:
        found = jws.read(content)
    except BadRequest as error:
        raise BadBinding(f"the binding cannot be read: {error.detail}") from error
    row = session.get(AcmeKey, found.account, with_for_update=True) if found.account else None
    # One answer for all that a stranger could guess at.
    if row is None or not jws.is_authentic(found, secret_of(row, secret)):
        raise BadBinding("the binding does not verify", hint="use key and id as they were shown, and once")
    if found.url != url or found.nonce:
        raise BadBinding("the binding is for another address, or has a nonce (RFC 8555, 7.3.4)")
    if parse_jwk(encoding.parse_object(found.payload, "the binding")).thumbprint != key.thumbprint:
        raise BadBinding("the binding is for another account's key")
    if row.state != "open" or at >= row.ends_at:
        state = row.state if row.state != "open" else "too old"
        raise BadBinding(f"the key `{row.id}` is {state}", hint="ask the registration officer for a new one")
    row.state, row.account = "used", account
    session.add(row)
    return row
