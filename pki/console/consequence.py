"""What revoking a certificate means, looked up before it is done; read, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.identity import Principal, SubjectKind
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from core.registry.holding import Holders, Holding
from pki import deskofficer
from pki.deskstate import State
from pki.models import CertificateHold, DeskRequest

#: Most things that are named one by one.
MOST = 20


@dataclass(frozen=True, slots=True)
class Consequences:
    """``left`` are the holder's other good certificates, ``twins`` good ones of anybody over the same key.

    ``bears`` is what the holder has beside certificates and could no longer use, ``held_since`` the day from which a
    certificate on hold counts as revoked, ``waiting`` the holder's requests at the desk, ``lapsing`` those that the
    holder agreed to with this certificate, which then counts no more. ``own``: the viewer uses it at this moment.
    """

    left: Sequence[Credential]
    twins: Sequence[Credential]
    bears: Sequence[Holding]
    more: int
    held_since: datetime | None
    waiting: Sequence[str]
    lapsing: Sequence[str]
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
    open_ones = _open(session)
    hold = session.get(CertificateHold, found.serial)
    return Consequences(
        left=[one for one in others if _is_other(one, found, at)],
        twins=[one for one in twins if _is_other(one, found, at)],
        bears=bears[:MOST],
        more=max(0, len(bears) - MOST),
        held_since=hold.at if hold else None,
        waiting=[row.id for row in open_ones if row.holder == found.holder][:MOST],
        lapsing=[row.id for row in open_ones if _agreed_with(row, found)][:MOST],
        own=viewer.serial == found.serial,
    )


def _is_other(one: Credential, found: Credential, at: datetime) -> bool:
    return one.serial != found.serial and one.state == CredentialState.GOOD and one.not_after > at


def _bears(session: Session, found: Credential, holders: Holders, at: datetime) -> list[Holding]:
    if found.holder_kind == SubjectKind.BOOTSTRAP:
        return []
    kind = "person" if found.holder_kind == SubjectKind.PERSON else "device"
    return [one for one in holders.holdings(session, kind, found.holder, at) if one.kind != "certificate"]


def _open(session: Session) -> Sequence[DeskRequest]:
    waiting = [State.SUBMITTED.value, State.CHECKED.value, State.RETURNED.value, State.APPROVED.value]
    return session.exec(select(DeskRequest).where(col(DeskRequest.state).in_(waiting)).order_by(DeskRequest.id)).all()


def _agreed_with(row: DeskRequest, found: Credential) -> bool:
    return any(one.serial == found.serial for one in deskofficer.read(row.approved_by))
