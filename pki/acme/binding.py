"""External account binding (RFC 8555, 7.3.4): a key, made by an officer for a holder, binds one new account to it.

The key is worked out from its row and a secret of the installation, and is written down nowhere: who reads the store
cannot bind anything, and who changes a row (another holder, a later end) makes another key of it.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.clock import to_rfc3339
from core.errors import NotFound
from core.identity import SubjectKind, SystemId
from core.ledger import evidence
from core.registry import system
from core.registry.errors import NotInRegister
from core.registry.models import Device
from pki import holder as holders
from pki.acme import encoding, events, jws
from pki.acme.errors import BadBinding, BadRequest
from pki.acme.jwk import Jwk, parse_jwk
from pki.acme.models import AcmeKey
from pki.errors import WrongProfile
from pki.names import Holder

#: Kinds of holders that fetch certificates by themselves.
KINDS = (SubjectKind.APPLICATION, SubjectKind.SERVICE)


def find_holder(session: Session, name: str) -> Holder:
    """Return the machine that ``name`` means: its own id, or that of a system with one application.

    Raises ``NotInRegister``, ``WrongProfile``.
    """
    device = session.get(Device, name)
    if device is None or device.ended_at is not None:
        device = _only_application(session, system.get(session, SystemId(name)).id)
    if device.kind not in KINDS:
        raise WrongProfile(f"`{device.id}` is a {device.kind}: ACME is for {' and '.join(KINDS)}s")
    return holders.find(session, SubjectKind(device.kind), device.id)


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


def _only_application(session: Session, identifier: str) -> Device:
    statement = select(Device).where(
        Device.system == identifier, col(Device.ended_at).is_(None), Device.kind == SubjectKind.APPLICATION.value
    )
    found = session.exec(statement.order_by(Device.id)).all()
    if len(found) == 1:
        return found[0]
    told = ", ".join(one.id for one in found) or "none"
    raise NotInRegister(
        f"the system `{identifier}` has not one application but: {told}", hint="name the machine itself"
    )
