"""Signed acts at an endpoint: the peer of this connection stated what it asks for, with the key that it showed."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Protocol, Self

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from core import signed
from core.clock import Clock
from core.enforcement import current_principal, peer_certificate
from core.identity import Principal, SubjectKind
from core.provision import provided
from core.rule import SIGNED
from core.signed import BadSignature, SignedAct, Statement


@dataclass(frozen=True, slots=True)
class Origin:
    """The installation's name in every signed text: the origin of its evidence log."""

    name: str


class GoodStanding(Protocol):
    """Looks at a certificate once more, inside the transaction of the act that was signed with it."""

    def hold(self, session: Session, principal: Principal) -> None:
        """Let nobody revoke it before the transaction ends. Raises ``Unauthenticated`` when it is not good."""
        ...


class Signature(BaseModel):
    """A person's signature in a request: their time and the signature (base64) over the text of ``core/signed.py``."""

    model_config = ConfigDict(extra="forbid")

    at: str = Field(max_length=40)
    signature: str = Field(max_length=4096)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is connected, with what certificate (DER), to which installation; ``at`` is the time of this request."""

    principal: Principal
    certificate: bytes
    origin: str
    at: datetime
    standing: GoodStanding
    clock: Clock

    def again(self) -> Self:
        """Return the same peer at the time of now: whoever waited for others looks at what is true after them."""
        return replace(self, at=max(self.at, self.clock.now()))

    def hold(self, session: Session) -> None:
        """Keep the peer's certificate good until the caller's transaction ends: every act that carries a signature.

        Between the decision on a request and its act it may be revoked; whoever checks the evidence would then find an
        act signed with a revoked certificate. Raises ``Unauthenticated``.
        """
        self.standing.hold(session, self.principal)

    def verify(self, given: Signature, *, act: str, object_: str, digest: str) -> SignedAct:
        """Return the signed act when the peer's own key signed exactly this. Raises ``Malformed``, ``BadSignature``."""
        if self.principal.kind is not SubjectKind.PERSON:
            raise BadSignature("only a person can answer for this", rule=str(SIGNED))
        statement = Statement(
            act=act,
            object=object_,
            digest=digest,
            person=self.principal.identifier,
            at=signed.parse_moment(given.at),
            origin=self.origin,
        )
        return signed.verify_act(statement, signed.parse_signature(given.signature), self.certificate, now=self.at)


def _peer(
    request: Request,
    clock: Annotated[Clock, Depends(provided(Clock))],
    origin: Annotated[Origin, Depends(provided(Origin))],
    standing: Annotated[GoodStanding, Depends(provided(GoodStanding))],
) -> Peer:
    return Peer(current_principal(request), peer_certificate(request), origin.name, clock.now(), standing, clock)


#: What an endpoint declares to check signed acts.
SigningPeer = Annotated[Peer, Depends(_peer)]
