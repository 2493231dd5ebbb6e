"""Directory, nonces, accounts and their keys (RFC 8555, 7.1 to 7.3)."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from core.enforcement import EnforcedRoute, public
from core.provision import ReadSession, WriteSession
from pki.acme import account as accounts
from pki.acme import answer, binding, caller, encoding, events, jws, order, payload
from pki.acme.errors import BadRequest, BindingRequired, ClosedAccount, NoAccount, NotYours
from pki.acme.jwk import parse_jwk
from pki.acme.payload import AccountUpdate, KeyChange, NewAccount
from pki.acme.server import ByAccount, ByKey, Server, admitted
from pki.acme.state import State

router = APIRouter(route_class=EnforcedRoute, prefix="/acme/{issuer}", tags=["acme"], dependencies=[Depends(admitted)])

#: Most orders of one page.
_PAGE = 100


@router.get("/directory")
@public
def directory(server: Server) -> JSONResponse:
    """Say where everything is."""
    return JSONResponse(server.urls.directory(), headers={"Cache-Control": "public, max-age=3600"})


@router.head("/new-nonce")
@public
def new_nonce(server: Server) -> Response:
    """Give a nonce out."""
    return Response(status_code=HTTPStatus.OK, headers=server.headers())


@router.get("/new-nonce")
@public
def new_nonce_by_get(server: Server) -> Response:
    """As above: whoever cannot ask for headers alone gets another status (RFC 8555, 7.2)."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=server.headers())


@router.post("/new-account")
@public
def new_account(newcomer: ByKey, server: Server, session: WriteSession) -> JSONResponse:
    """Make an account, bound to a holder of the register; or say which account has this key."""
    asked = payload.parse(NewAccount, newcomer.payload)
    found = accounts.find(session, newcomer.key.thumbprint)
    if found is not None:
        if found.status != State.VALID:
            raise ClosedAccount("the account with this key was deactivated", hint="make another key")
        return server.answer(answer.account(found, server.urls), location=server.urls.at("account", found.id))
    if asked.onlyReturnExisting:
        raise NoAccount("there is no account with this key")
    if asked.externalAccountBinding is None:
        hint = "ask the registration officer for a key (`guosuo acme key`)"
        raise BindingRequired("an account is bound to an application of the register", hint=hint)
    identifier, at = server.random(16).hex(), server.clock.now()
    bound = binding.bind(
        session,
        asked.externalAccountBinding,
        key=newcomer.key,
        url=server.urls.at("new-account"),
        account=identifier,
        secret=server.secret,
        at=at,
    )
    made = accounts.make(session, identifier, newcomer.key, bound, asked.contact, at=at)
    # Whoever is not in the register any more gets no account, whatever key was made for it.
    accounts.holder_of(session, made)
    location = server.urls.at("account", made.id)
    return server.answer(answer.account(made, server.urls), HTTPStatus.CREATED, location=location)


@router.post("/account/{identifier}")
@public
def change_account(identifier: str, asking: ByAccount, server: Server, session: WriteSession) -> JSONResponse:
    """Show an account, change its contacts, or deactivate it."""
    _check_own(asking.account, identifier)
    row = accounts.hold(session, identifier)
    if asking.payload:
        asked, at = payload.parse(AccountUpdate, asking.payload), server.clock.now()
        if asked.contact is not None:
            accounts.change(session, row, asked.contact, at=at)
        if asked.status is not None:
            if asked.status != State.DEACTIVATED:
                raise BadRequest("an account can be deactivated, and nothing else")
            accounts.close(session, row, actor=events.actor_of(row.holder), at=at)
    return server.answer(answer.account(row, server.urls), location=server.urls.at("account", identifier))


@router.post("/account/{identifier}/orders")
@public
def list_orders(
    identifier: str,
    asking: ByAccount,
    server: Server,
    session: ReadSession,
    cursor: Annotated[str, Query(max_length=32)] = "",
) -> JSONResponse:
    """List the orders of an account, page by page (RFC 8555, 7.1.2.1)."""
    _check_own(asking.account, identifier)
    payload.check_empty(asking.payload)
    rows = order.listed(session, identifier, after=cursor, most=_PAGE)
    response = server.answer({"orders": [server.urls.at("order", row.id) for row in rows]})
    if len(rows) == _PAGE:
        following = f"{server.urls.at('account', identifier, 'orders')}?cursor={rows[-1].id}"
        response.headers["Link"] += f', <{following}>;rel="next"'
    return response


@router.post("/key-change")
@public
def key_change(asking: ByAccount, server: Server, session: WriteSession) -> JSONResponse:
    """Give an account another key: both keys have signed that (RFC 8555, 7.3.5)."""
    inner = jws.read(encoding.parse_object(asking.payload, "the payload"))
    key = caller.new_key(server.urls, inner)
    asked = payload.parse(KeyChange, inner.payload)
    row = accounts.hold(session, asking.account)
    own = asked.account == server.urls.at("account", row.id)
    # The key that is held now, not the one that signed a moment ago: of two changes at once one is refused.
    if not own or parse_jwk(asked.oldKey).thumbprint != row.thumbprint:
        raise BadRequest("the inner request is of another account, or of another key up to now")
    accounts.rekey(session, row, key, at=server.clock.now())
    return server.answer(answer.account(row, server.urls), location=server.urls.at("account", row.id))


def _check_own(account: str, identifier: str) -> None:
    if account != identifier:
        raise NotYours("this is not your account")
