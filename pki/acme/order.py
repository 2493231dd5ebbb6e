"""Orders (RFC 8555, 7.1.3 and 7.4): for names of the register, with an authorization for each, and an end."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.errors import TrustError
from core.ledger import evidence
from pki.acme import encoding, events, identifier, state
from pki.acme.errors import NotHere, OrderNotReady
from pki.acme.identifier import Identifier, IdentifierKind
from pki.acme.models import AcmeAccount, AcmeAuthorization, AcmeChallenge, AcmeOrder
from pki.acme.problem import document
from pki.acme.state import State

#: Challenges by the kind of identifier (RFC 8555, 8; RFC 8737; RFC 8738).
HTTP, DNS, TLS = "http-01", "dns-01", "tls-alpn-01"
CHALLENGES = {IdentifierKind.DNS: (HTTP, DNS, TLS), IdentifierKind.IP: (HTTP, TLS)}


def make(
    session: Session,
    account: AcmeAccount,
    identifiers: Sequence[Identifier],
    *,
    replaces: str,
    at: datetime,
    life: timedelta,
    random: Callable[[int], bytes],
) -> AcmeOrder:
    """Enter an order with its authorizations and challenges; the identifiers were checked."""
    row = AcmeOrder(
        id=random(16).hex(),
        account=account.id,
        status=State.PENDING.value,
        identifiers=json.dumps([[one.kind.value, one.value] for one in identifiers]),
        made_at=at,
        ends_at=(at + life).replace(microsecond=0),
        replaces=replaces,
    )
    session.add(row)
    session.flush()
    for one in identifiers:
        _authorize(session, row, one, random)
    evidence.append(session, events.order_made(row, account, identifiers), at=at)
    return row


def identifiers_of(row: AcmeOrder) -> list[Identifier]:
    """Return what an order is for."""
    return [identifier.read(kind, value) for kind, value in json.loads(row.identifiers)]


def authorizations(session: Session, order: str) -> Sequence[AcmeAuthorization]:
    """Return an order's authorizations, each for one identifier."""
    statement = select(AcmeAuthorization).where(AcmeAuthorization.order == order)
    return session.exec(statement.order_by(AcmeAuthorization.kind, AcmeAuthorization.value)).all()


def get(session: Session, account: str, identifier: str) -> AcmeOrder:
    """Return an order of an account; raises ``NotHere``."""
    row = session.get(AcmeOrder, identifier)
    if row is None or row.account != account:
        raise NotHere("you have no such order")
    return row


def hold_ready(session: Session, account: str, identifier: str, at: datetime) -> AcmeOrder:
    """Return an order that can be finalized now, and keep it from anybody else. Raises ``OrderNotReady``."""
    get(session, account, identifier)
    row = session.get_one(AcmeOrder, identifier, with_for_update=True, populate_existing=True)
    if (now := state_of(row, at)) is not State.READY:
        raise OrderNotReady(f"the order is {now}, it cannot be finalized")
    return row


def listed(session: Session, account: str, *, after: str, most: int) -> Sequence[AcmeOrder]:
    """Return the orders of an account that can still come to something, by id, from behind ``after``."""
    alive = (State.PENDING.value, State.READY.value, State.PROCESSING.value, State.VALID.value)
    statement = select(AcmeOrder).where(
        AcmeOrder.account == account, col(AcmeOrder.status).in_(alive), AcmeOrder.id > after
    )
    return session.exec(statement.order_by(AcmeOrder.id).limit(most)).all()


def state_of(row: AcmeOrder, at: datetime) -> State:
    """Return an order's state now: one that waited too long is invalid, whether somebody has written that or not."""
    if row.status in (State.PENDING, State.READY) and at >= row.ends_at:
        return State.INVALID
    return State(row.status)


def settle(session: Session, row: AcmeOrder) -> None:
    """Let an order that waits follow its authorizations."""
    if row.status not in (State.PENDING, State.READY):
        return
    session.flush()
    after = state.of_order([one.status for one in authorizations(session, row.id)])
    if after != row.status:
        row.status = state.move(state.ORDER, row.status, after, "order")
        session.add(row)


def begin(session: Session, row: AcmeOrder, *, request: str, at: datetime) -> None:
    """Let an order be worked at, with the request whose digest is ``request``."""
    row.status = state.move(state.ORDER, row.status, State.PROCESSING, "order")
    row.request, row.finalized_at = request, at
    session.add(row)


def release(session: Session, row: AcmeOrder) -> None:
    """Let an order be finalized again: its request was refused, and nothing was issued."""
    row.status = state.move(state.ORDER, row.status, State.READY, "order")
    row.request, row.finalized_at = "", None
    session.add(row)


def conclude(session: Session, row: AcmeOrder, serial: str, *, at: datetime, failure: TrustError | None = None) -> None:
    """End an order that was worked at: with its certificate's serial number, or with what went wrong."""
    row.status = state.move(state.ORDER, row.status, State.VALID if serial else State.INVALID, "order")
    row.serial = serial
    if failure is not None:
        row.error = json.dumps(document(failure))
    session.add(row)
    account = session.get_one(AcmeAccount, row.account)
    evidence.append(session, events.order_concluded(row, account, failure.word if failure else ""), at=at)


def _authorize(session: Session, row: AcmeOrder, one: Identifier, random: Callable[[int], bytes]) -> None:
    authorization = AcmeAuthorization(
        id=random(16).hex(), order=row.id, kind=one.kind.value, value=one.value, status=State.PENDING.value
    )
    session.add(authorization)
    session.flush()
    # One token for all of them would do; each has its own, so that nothing that was shown for one serves another.
    for kind in CHALLENGES[one.kind]:
        session.add(
            AcmeChallenge(
                id=random(16).hex(),
                authorization=authorization.id,
                kind=kind,
                token=encoding.encode(random(32)),
                status=State.PENDING.value,
            )
        )
    session.flush()
