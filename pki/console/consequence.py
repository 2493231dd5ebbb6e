"""What revoking a certificate means, looked up before it is done; read, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from core.identity import Principal, SubjectKind
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from core.registry.holding import Holders, Holding
from pki.models import CertificateHold, DeskRequest

#: Most things that are named one by one.
MOST = 20


@dataclass(frozen=True, slots=True)
class Consequences:
    """``left`` are the holder's other good certificates, ``twins`` good ones of anybody over the same key.

    ``bears`` is what the holder has beside certificates and could no longer use, ``held_since`` the day from which a
    certificate on hold counts as revoked, ``waiting`` the holder's requests at the desk. ``own``: the viewer uses this
    certificate at this moment.
    """

    left: Sequence[Credential]
    twins: Sequence[Credential]
    bears: Sequence[Holding]
    more: int
    held_since: datetime | None
    waiting: Sequence[str]
    own: bool

    @property
    def shut_out(self) -> bool:
        """Say whether the holder has no good certificate left."""
        return not self.left


def of(session: Session, found: Credential, holders: Holders, viewer: Principal, at: datetime) -> Consequences:
    """Return what revoking ``found`` now would mean."""
    others = credential.held_by(session, found.holder_kind, found.holder)
    twins = credential.with_key(session, found.spki_sha256)
    bears = _bears(session, found, holders, at)
    hold = session.get(CertificateHold, found.serial)
    return Consequences(
        left=[one for one in others if _is_other(one, found, at)],
        twins=[one for one in twins if _is_other(one, found, at)],
        bears=bears[:MOST],
        more=max(0, len(bears) - MOST),
        held_since=hold.at if hold else None,
        waiting=_waiting(session, found),
        own=viewer.serial == found.serial,
    )


def _is_other(one: Credential, found: Credential, at: datetime) -> bool:
    return one.serial != found.serial and one.state == CredentialState.GOOD and one.not_after > at


def _bears(session: Session, found: Credential, holders: Holders, at: datetime) -> list[Holding]:
    if found.holder_kind == SubjectKind.BOOTSTRAP:
        return []
    kind = "person" if found.holder_kind == SubjectKind.PERSON else "device"
    return [one for one in holders.holdings(session, kind, found.holder, at) if one.kind != "certificate"]


def _waiting(session: Session, found: Credential) -> list[str]:
    open_ones = ("submitted", "checked", "returned", "approved")
    statement = select(DeskRequest).where(DeskRequest.holder == found.holder)
    return [row.id for row in session.exec(statement.order_by(DeskRequest.id)) if row.state in open_ones][:MOST]
