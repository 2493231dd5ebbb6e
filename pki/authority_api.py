"""Our authorities over HTTP: list and show. Another one takes two people, and so is an approval."""

from datetime import datetime
from typing import Annotated

from cryptography import x509
from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlmodel import Session, func, select

from core.clock import Clock, to_rfc3339
from core.enforcement import EnforcedRoute, permission
from core.provision import ReadSession, provided
from core.registry.credential import Credential, CredentialState
from pki import chain, listing, plan
from pki.issuer import ISSUING
from pki.models import Authority, Revocation
from pki.plan import Plan
from pki.tbslist import FULL

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/ca", tags=["certificate"])

Now = Annotated[Clock, Depends(provided(Clock))]


class AuthorityItem(BaseModel):
    """One authority; ``state`` is ordered, active, superseded, over, certified or revoked."""

    name: str
    kind: str
    state: str
    parent: str
    domains: str
    key: str
    algorithm: str
    path_length: int
    constraints: str
    serial: str
    not_after: str
    good: int
    crl_number: int | None


class AuthorityDetail(AuthorityItem):
    """One authority with its certificates (PEM): its own, those by other roots, and what is above what it issues."""

    subject: str
    certificates: str
    chain: str


class AuthorityList(BaseModel):
    """Every authority, in the order in which they were agreed on."""

    items: list[AuthorityItem]


@router.get("")
@permission("pki:certificate:read")
def list_(session: ReadSession, clock: Now) -> AuthorityList:
    """List every authority."""
    return AuthorityList(items=[_item(session, one, clock.now()) for one in plan.every(session)])


@router.get("/{name}")
@permission("pki:certificate:read")
def show(name: str, session: ReadSession, clock: Now) -> AuthorityDetail:
    """Show one authority."""
    found = plan.get(session, name)
    item = _item(session, found, clock.now())
    row = session.get(Authority, name)
    return AuthorityDetail(
        **item.model_dump(),
        subject=x509.load_der_x509_certificate(row.der).subject.rfc4514_string() if row else "",
        certificates=chain.pem(chain.every(session, name)) if row else "",
        chain=chain.pem(chain.above(session, name)) if row else "",
    )


def _item(session: Session, one: Plan, now: datetime) -> AuthorityItem:
    row = session.get(Authority, one.name)
    newest = listing.newest(session, one.name, FULL).get(FULL)
    return AuthorityItem(
        name=one.name,
        kind=one.kind,
        state=_state(session, one, now),
        parent=one.signer,
        domains=", ".join(one.domains) or ("every other" if one.line == ISSUING else ""),
        key=one.key,
        algorithm=one.algorithm,
        path_length=one.path_length,
        constraints=", ".join(
            (*one.space.hosts, *one.space.addresses, *(f"not {host}" for host in one.space.excluded))
        ),
        serial=row.serial if row else "",
        not_after=to_rfc3339(x509.load_der_x509_certificate(row.der).not_valid_after_utc) if row else "",
        good=_good(session, one.name, now),
        crl_number=newest.number if newest else None,
    )


def _state(session: Session, one: Plan, now: datetime) -> str:
    serving = plan.serving(session)
    if one not in serving:
        return "ordered"
    if not one.is_ours:
        revoked = session.get(Revocation, session.get_one(Authority, one.name).serial)
        return "revoked" if revoked is not None else "certified"
    if one != plan.newest(serving, one.line):
        return "superseded" if one.name in plan.listed(session, now) else "over"
    return "active"


def _good(session: Session, name: str, now: datetime) -> int:
    statement = select(func.count()).where(
        Credential.issuer == name, Credential.state == CredentialState.GOOD.value, Credential.not_after > now
    )
    return session.exec(statement).one()
