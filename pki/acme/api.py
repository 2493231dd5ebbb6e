"""What officers do about ACME: keys that bind an account, accounts, and renewals that an incident moves."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import select

from core.clock import Clock, to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import NotFound
from core.identity import Serial
from core.provision import ReadSession, WriteSession, provided
from pki.acme import account as accounts
from pki.acme import binding, encoding, renewal
from pki.acme.models import AcmeAccount, AcmeKey
from pki.acme.server import AcmeServer

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/acme", tags=["acme"])


class KeyRequest(BaseModel):
    """For whom: a machine of the register, or a system with one application."""

    model_config = ConfigDict(extra="forbid")

    holder: str = Field(max_length=80)
    hours: int | None = Field(default=None, ge=1, le=720)


class KeyItem(BaseModel):
    """A key; ``account`` is the one that was bound with it."""

    id: str
    holder: str
    domain: str
    state: str
    made_by: str
    ends_at: str
    account: str


class MadeKey(KeyItem):
    """A new key, shown this once: ``key`` is the MAC key in base64url, ``directory`` where the client begins."""

    key: str
    directory: str


class AccountItem(BaseModel):
    """An account; its contacts are shown to nobody but itself."""

    id: str
    holder: str
    domain: str
    status: str
    key: str
    thumbprint: str
    made_at: str


class Enrolment(BaseModel):
    """Keys and accounts, oldest first."""

    keys: list[KeyItem]
    accounts: list[AccountItem]


class MoveRequest(BaseModel):
    """Which certificates are to be renewed within how many hours, and the address of a page that says why."""

    model_config = ConfigDict(extra="forbid")

    serials: list[str] = Field(min_length=1, max_length=renewal.MOST)
    within_hours: int = Field(default=24, ge=1, le=720)
    explanation: str = Field(default="", max_length=500, pattern=r"^(https?://[!-~]+)?$")


class Moved(BaseModel):
    """Whose certificates were moved; a client that asks learns it within six hours."""

    holders: list[str]
    count: int


def configured(request: Request) -> AcmeServer:
    """Return the server; raises ``NotFound`` where none is configured."""
    found = request.app.state.provided.get(AcmeServer)
    if not isinstance(found, AcmeServer):
        raise NotFound("this site has no ACME server", hint="add an `[acme]` section to guosuo.toml and serve again")
    return found


Configured = Annotated[AcmeServer, Depends(configured)]
Now = Annotated[Clock, Depends(provided(Clock))]


@router.post("/key")
@permission("pki:enrolment:make")
def make_key(body: KeyRequest, principal: Acting, server: Configured, session: WriteSession) -> MadeKey:
    """Make a key that binds one account to a machine of the register."""
    life = timedelta(hours=body.hours or server.settings.key_hours)
    holder, at = binding.find_holder(session, body.holder), server.clock.now()
    binding.check_officers(session, holder)
    row = binding.make(session, holder, actor=principal.identifier, at=at, life=life, random=server.random)
    shown = encoding.encode(binding.secret_of(row, server.secret))
    return MadeKey(**_key(row).model_dump(), key=shown, directory=server.urls.at("directory"))


@router.get("")
@permission("pki:enrolment:read")
def list_enrolment(session: ReadSession, holder: str = "") -> Enrolment:
    """List keys and accounts, of one machine or all."""
    keys, bound = select(AcmeKey), select(AcmeAccount)
    if holder:
        keys, bound = keys.where(AcmeKey.holder == holder), bound.where(AcmeAccount.holder == holder)
    return Enrolment(
        keys=[_key(row) for row in sorted(session.exec(keys), key=lambda row: (row.made_at, row.id))],
        accounts=[_account(row) for row in sorted(session.exec(bound), key=lambda row: (row.made_at, row.id))],
    )


@router.post("/key/{identifier}/withdrawal")
@permission("pki:enrolment:end")
def withdraw_key(identifier: str, principal: Acting, session: WriteSession, clock: Now) -> KeyItem:
    """Withdraw a key that was not used yet."""
    return _key(binding.withdraw(session, identifier, actor=principal.identifier, at=clock.now()))


@router.post("/account/{identifier}/closing")
@permission("pki:enrolment:end")
def close_account(identifier: str, principal: Acting, session: WriteSession, clock: Now) -> AccountItem:
    """Deactivate an account, for ever; its certificates stay."""
    return _account(accounts.close_by_officer(session, identifier, actor=principal.identifier, at=clock.now()))


@router.post("/renewal")
@permission("pki:renewal:move")
def move_renewal(body: MoveRequest, principal: Acting, session: WriteSession, clock: Now) -> Moved:
    """Have certificates renewed soon, whatever their age (RFC 9773): all of them, or none."""
    rows = renewal.move(
        session,
        [Serial(one.lower()) for one in body.serials],
        within=timedelta(hours=body.within_hours),
        explanation=body.explanation,
        actor=principal.identifier,
        at=clock.now(),
    )
    return Moved(holders=sorted({row.holder for row in rows}), count=len(rows))


def _key(row: AcmeKey) -> KeyItem:
    return KeyItem(
        id=row.id,
        holder=row.holder,
        domain=row.domain,
        state=row.state,
        made_by=row.actor,
        ends_at=to_rfc3339(row.ends_at),
        account=row.account,
    )


def _account(row: AcmeAccount) -> AccountItem:
    return AccountItem(
        id=row.id,
        holder=row.holder,
        domain=row.domain,
        status=row.status,
        key=row.key,
        thumbprint=row.thumbprint,
        made_at=to_rfc3339(row.made_at),
    )
