"""Initial secrets: made by an officer for one machine and its names, used once for its first certificate.

As with ACME's keys the secret is worked out from its row and a secret of the installation: who reads the store has
none, and who changes a row (another machine, more names, a later end) makes another secret of it.
"""

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.clock import to_rfc3339
from core.errors import NotFound
from core.identity import SubjectKind
from core.ledger import evidence
from pki import machine, names
from pki.device import events
from pki.device.errors import BadSecret, NotOpen
from pki.device.models import DeviceSecret
from pki.errors import WrongProfile
from pki.names import Holder

#: Machines; their profiles have the names of these kinds.
KINDS = (SubjectKind.APPLICATION, SubjectKind.SERVICE, SubjectKind.GATEWAY, SubjectKind.SENSOR)

#: Kinds whose certificates carry host names.
_NAMED = (SubjectKind.APPLICATION, SubjectKind.SERVICE)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a secret is good for: names that may stand in the certificate, and how long it may be used."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    life: timedelta


def find_holder(session: Session, name: str) -> Holder:
    """Return the machine that ``name`` means. Raises ``NotInRegister``, ``WrongProfile``."""
    return machine.find(session, name, KINDS, "initial secrets are")


def make(
    session: Session,
    holder: Holder,
    agreed: Agreed,
    *,
    actor: str,
    at: datetime,
    random: Callable[[int], bytes],
) -> DeviceSecret:
    """Make a secret for ``holder``. Raises what issuing would say of the names."""
    if (agreed.hosts or agreed.addresses) and holder.kind not in _NAMED:
        raise WrongProfile(f"a certificate of profile `{holder.kind}` carries no host names")
    names.check_hosts(holder, agreed.hosts)
    names.check_addresses(holder, agreed.addresses)
    row = DeviceSecret(
        id=random(8).hex(),
        holder_kind=holder.kind,
        holder=holder.identifier,
        domain=holder.domain,
        hosts=json.dumps(agreed.hosts),
        addresses=json.dumps([names.canonical_address(one) for one in agreed.addresses]),
        actor=actor,
        made_at=at,
        ends_at=(at + agreed.life).replace(microsecond=0),
    )
    session.add(row)
    evidence.append(session, events.secret_made(row), at=at)
    return row


def value_of(row: DeviceSecret, secret: bytes) -> str:
    """Return the secret itself, as it is shown and typed: 43 characters that follow from all that the row promises."""
    ends = to_rfc3339(row.ends_at)
    promised = "\n".join(("device secret", row.id, row.holder_kind, row.holder, row.hosts, row.addresses, ends))
    octets = hmac.digest(secret, promised.encode(), "sha256")
    # The first character is a letter: a hyphen would be taken for an option.
    return base64.urlsafe_b64encode(bytes([octets[0] & 0x7F, *octets[1:]])).rstrip(b"=").decode("ascii")


def names_of(row: DeviceSecret) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the host names and the addresses that a secret is good for."""
    return tuple(json.loads(row.hosts)), tuple(json.loads(row.addresses))


def take(session: Session, identifier: str, request: str, at: datetime) -> None:
    """Use a secret for the request with this digest; for the very same request also again. Raises ``BadSecret``."""
    row = _locked(session, identifier)
    if row is not None and row.state == "used" and row.request == request:
        return
    if row is None or row.state != "open" or at >= row.ends_at:
        raise BadSecret("the initial secret is used, withdrawn or over", hint="ask the registration officer for one")
    row.state, row.request = "used", request
    session.add(row)
    evidence.append(session, events.secret_used(row), at=at)


def give_back(session: Session, identifier: str, request: str, at: datetime) -> None:
    """Let a secret be used again: what it was used for was refused."""
    row = _locked(session, identifier)
    if row is not None and row.state == "used" and row.request == request:
        row.state, row.request = "open", ""
        session.add(row)
        evidence.append(session, events.secret_given_back(row), at=at)


def withdraw(session: Session, identifier: str, *, actor: str, at: datetime) -> DeviceSecret:
    """Let a secret that was not used open nothing. Raises ``NotFound``, ``NotOpen``."""
    row = _locked(session, identifier)
    if row is None:
        raise NotFound(f"no initial secret has the id `{identifier[:40]}`", hint="see `guosuo cmp list`")
    if row.state != "open":
        raise NotOpen(f"the initial secret `{row.id}` is {row.state}", hint="revoke its certificate instead")
    row.state = "withdrawn"
    session.add(row)
    evidence.append(session, events.secret_withdrawn(row, actor=actor), at=at)
    return row


def listed(session: Session, holder: str) -> Sequence[DeviceSecret]:
    """Return secrets, of one machine or all, oldest first."""
    statement = select(DeviceSecret).order_by(col(DeviceSecret.made_at), DeviceSecret.id)
    return session.exec(statement.where(DeviceSecret.holder == holder) if holder else statement).all()


def _locked(session: Session, identifier: str) -> DeviceSecret | None:
    return session.get(DeviceSecret, identifier, with_for_update=True, populate_existing=True)
