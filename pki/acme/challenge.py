"""Challenges and authorizations in the store (RFC 8555, 7.1.4 and 7.5): asked for, answered, ended, given up."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from core.errors import TrustError
from core.identity import DomainId
from core.ledger import evidence
from core.registry import domain
from pki.acme import events, order, state
from pki.acme.errors import NotHere, WrongState
from pki.acme.identifier import Identifier, read
from pki.acme.jwk import parse_jwk
from pki.acme.models import AcmeAccount, AcmeAuthorization, AcmeChallenge, AcmeOrder
from pki.acme.problem import document
from pki.acme.state import State


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge that a machine says it is ready for; ``ranges`` are the addresses of its domain (CIDR)."""

    id: str
    kind: str
    identifier: Identifier
    token: str
    thumbprint: str
    ranges: tuple[str, ...]


def authorization(session: Session, account: str, identifier: str) -> tuple[AcmeAuthorization, AcmeOrder]:
    """Return an authorization of an account with its order; raises ``NotHere``."""
    row = session.get(AcmeAuthorization, identifier)
    owner = session.get(AcmeOrder, row.order) if row is not None else None
    if row is None or owner is None or owner.account != account:
        raise NotHere("you have no such authorization")
    return row, owner


def get(session: Session, account: str, identifier: str) -> tuple[AcmeChallenge, AcmeAuthorization, AcmeOrder]:
    """Return a challenge of an account with its authorization and order; raises ``NotHere``."""
    row = session.get(AcmeChallenge, identifier)
    if row is None:
        raise NotHere("you have no such challenge")
    return row, *authorization(session, account, row.authorization)


def challenges(session: Session, authorization: str) -> Sequence[AcmeChallenge]:
    """Return the challenges of an authorization."""
    statement = select(AcmeChallenge).where(AcmeChallenge.authorization == authorization)
    return session.exec(statement.order_by(AcmeChallenge.kind)).all()


def ask(session: Session, account: str, identifier: str, at: datetime) -> AcmeChallenge:
    """Note that a machine is ready; once is enough. Raises ``NotHere``, or ``WrongState`` when it is too late."""
    _row, above, owner = get(session, account, identifier)
    # The order first, as everybody does who changes something of it: two at once would wait for one another.
    owner = session.get_one(AcmeOrder, owner.id, with_for_update=True, populate_existing=True)
    row = session.get_one(AcmeChallenge, identifier, populate_existing=True)
    session.refresh(above)
    if row.status != State.PENDING:
        return row
    if above.status != State.PENDING or order.state_of(owner, at) is not State.PENDING:
        raise WrongState("the authorization does not wait for this challenge any more")
    row.status = state.move(state.CHALLENGE, row.status, State.PROCESSING, "challenge")
    session.add(row)
    return row


def waiting(session: Session, most: int) -> list[Asked]:
    """Return challenges that wait to be looked at, at most so many."""
    statement = (
        select(AcmeChallenge, AcmeAuthorization, AcmeAccount)
        .join(AcmeAuthorization, AcmeChallenge.authorization == AcmeAuthorization.id)  # type: ignore[arg-type]  # columns
        .join(AcmeOrder, AcmeAuthorization.order == AcmeOrder.id)  # type: ignore[arg-type]
        .join(AcmeAccount, AcmeOrder.account == AcmeAccount.id)  # type: ignore[arg-type]
        .where(AcmeChallenge.status == State.PROCESSING.value)
        .limit(most)
    )
    return [
        Asked(
            id=row.id,
            kind=row.kind,
            identifier=read(above.kind, above.value),
            token=row.token,
            thumbprint=parse_jwk(json.loads(account.jwk)).thumbprint,
            ranges=domain.addresses(session, DomainId(account.domain)),
        )
        for row, above, account in session.exec(statement)
    ]


def conclude(session: Session, identifier: str, failure: TrustError | None, at: datetime) -> None:
    """Enter what was seen of a challenge, and let authorization and order follow; nothing when somebody else has."""
    found = session.get_one(AcmeChallenge, identifier)
    above = session.get_one(AcmeAuthorization, found.authorization)
    owner = session.get_one(AcmeOrder, above.order, with_for_update=True, populate_existing=True)
    row = session.get_one(AcmeChallenge, identifier, populate_existing=True)
    session.refresh(above)
    if row.status != State.PROCESSING:
        return
    after = State.INVALID if failure is not None else State.VALID
    row.status = state.move(state.CHALLENGE, row.status, after, "challenge")
    if failure is None:
        row.validated_at = at
    else:
        row.error = json.dumps(document(failure))
    session.add(row)
    if above.status == State.PENDING:
        _end(session, above, owner, after, said=(row.kind, failure.detail if failure else ""), at=at)


def give_up(session: Session, account: str, identifier: str, at: datetime) -> AcmeAuthorization:
    """Deactivate an authorization (RFC 8555, 7.5.2); its order comes to nothing. Raises ``NotHere``, ``WrongState``."""
    row, owner = authorization(session, account, identifier)
    owner = session.get_one(AcmeOrder, owner.id, with_for_update=True, populate_existing=True)
    session.refresh(row)
    _end(session, row, owner, State.DEACTIVATED, said=("", ""), at=at)
    return row


def _end(
    session: Session, row: AcmeAuthorization, owner: AcmeOrder, after: State, *, said: tuple[str, str], at: datetime
) -> None:
    row.status = state.move(state.AUTHORIZATION, row.status, after, "authorization")
    session.add(row)
    account = session.get_one(AcmeAccount, owner.account)
    evidence.append(session, events.authorization_ended(row, account, *said), at=at)
    order.settle(session, owner)
