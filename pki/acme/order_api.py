"""Orders, authorizations and challenges (RFC 8555, 7.4 and 7.5)."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlmodel import Session

from core.database import Database
from core.enforcement import EnforcedRoute, public
from core.provision import ReadSession, WriteSession
from pki.acme import account as accounts
from pki.acme import answer, challenge, encoding, identifier, limit, order, payload, renewal
from pki.acme.caller import Caller
from pki.acme.errors import BadRequest
from pki.acme.identifier import Identifier
from pki.acme.models import AcmeOrder, AcmeRenewal
from pki.acme.payload import AuthorizationUpdate, Finalize, NewOrder
from pki.acme.server import AcmeServer, ByAccount, Server, admitted
from pki.acme.state import State

router = APIRouter(route_class=EnforcedRoute, prefix="/acme/{issuer}", tags=["acme"], dependencies=[Depends(admitted)])

#: Seconds after which a client asks again for what is being worked at.
_SOON = 1


@router.post("/new-order")
@public
def new_order(asking: ByAccount, server: Server, session: WriteSession) -> JSONResponse:
    """Order a certificate for names that the register gives the holder."""
    asked = payload.parse(NewOrder, asking.payload)
    if asked.notBefore is not None or asked.notAfter is not None:
        raise BadRequest("the validity follows from profile and level, and is not asked for")
    account, at = accounts.hold(session, asking.account), server.clock.now()
    wanted = list(dict.fromkeys(identifier.read(one.type, one.value) for one in asked.identifiers))
    identifier.check(asking.holder, wanted)
    replaces = _replaced(session, asking, asked.replaces, wanted)
    if not replaces or session.get(AcmeRenewal, replaces) is None:
        # Whoever was told to renew at once is not held up by how often others are.
        limit.check_order(session, account.id, wanted, at)
    life = timedelta(hours=server.settings.order_hours)
    row = order.make(session, account, wanted, replaces=replaces, at=at, life=life, random=server.random)
    return _order(server, session, row, HTTPStatus.CREATED)


@router.post("/order/{wanted}")
@public
def show_order(wanted: str, asking: ByAccount, server: Server, session: ReadSession) -> JSONResponse:
    """Show an order."""
    payload.check_empty(asking.payload)
    return _order(server, session, order.get(session, asking.account, wanted))


@router.post("/order/{wanted}/finalize")
@public
def finalize(wanted: str, asking: ByAccount, server: Server) -> JSONResponse:
    """Issue the certificate of an order."""
    asked = payload.parse(Finalize, asking.payload)
    server.finalizer.finalize(asking.account, asking.holder, wanted, encoding.decode(asked.csr, "csr"))
    return _finalized(server, server.database, asking.account, wanted)


@router.post("/authorization/{wanted}")
@public
def authorization(wanted: str, asking: ByAccount, server: Server, session: WriteSession) -> JSONResponse:
    """Show an authorization, or give it up."""
    if asking.payload:
        if payload.parse(AuthorizationUpdate, asking.payload).status != State.DEACTIVATED:
            raise BadRequest("an authorization can be deactivated, and nothing else")
        challenge.give_up(session, asking.account, wanted, server.clock.now())
    row, owner = challenge.authorization(session, asking.account, wanted)
    found = answer.authorization(row, owner, challenge.challenges(session, row.id), server.urls)
    if row.status == State.PENDING and order.state_of(owner, server.clock.now()) is State.INVALID:
        found["status"] = State.INVALID.value
    return server.answer(found, after=_SOON if row.status == State.PENDING else 0)


@router.post("/challenge/{wanted}")
@public
def answer_challenge(wanted: str, asking: ByAccount, server: Server, session: WriteSession) -> JSONResponse:
    """Note that the machine is ready to be looked at; or show a challenge, when the payload is empty."""
    if asking.payload:
        # What is in it does not matter (RFC 8555, 7.5.1), but it is an object.
        encoding.parse_object(asking.payload, "the payload")
        row = challenge.ask(session, asking.account, wanted, server.clock.now())
    else:
        row, _above, _owner = challenge.get(session, asking.account, wanted)
    up = server.urls.at("authorization", row.authorization)
    return server.answer(
        answer.challenge(row, server.urls), up=up, after=_SOON if row.status == State.PROCESSING else 0
    )


def _replaced(session: Session, asking: Caller, name: str | None, wanted: list[Identifier]) -> str:
    if name is None:
        return ""
    serial = renewal.find_named(session, name)
    renewal.check_replaced(session, serial, asking.holder, wanted)
    return serial


def _order(server: AcmeServer, session: Session, row: AcmeOrder, status: HTTPStatus = HTTPStatus.OK) -> JSONResponse:
    state = order.state_of(row, server.clock.now())
    found = answer.order(
        row, state, order.authorizations(session, row.id), server.urls, renewal.key_identifier(session, row.replaces)
    )
    location, after = server.urls.at("order", row.id), _SOON if state is State.PROCESSING else 0
    return server.answer(found, status, location=location, after=after)


def _finalized(server: AcmeServer, database: Database, account: str, wanted: str) -> JSONResponse:
    with database.read() as session:
        return _order(server, session, order.get(session, account, wanted))
