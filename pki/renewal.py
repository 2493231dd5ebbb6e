"""Renewal: who shows a good certificate gets the next one for the same holder, profile and names, and nothing else.

The present certificate stands for the officer who agreed to it; where the level asks for two officers, it stands for
none, and the request waits at the desk. Asking again with the very same request is no second renewal.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, func, select

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import Principal, Serial, SubjectKind
from core.registry import credential
from core.registry.credential import Credential
from pki import admission, certified, csr, desk, holder, profileset
from pki.desk import RequestDesk
from pki.errors import RenewedTooOften
from pki.issuance import CertificateAuthority
from pki.models import DeskRequest
from pki.request import IssuanceRequest

#: Certificates of one holder and profile in a day: beyond that something is broken, or somebody collects them.
_MOST = 12


@dataclass(frozen=True, slots=True)
class Renewed:
    """What came of it: ``chain`` (PEM) when it is issued, else what it waits for at the desk, and what was said."""

    state: str
    serial: str = ""
    chain: str = ""
    request: str = ""
    waits_for: str = ""
    comment: str = ""


class Renewal:
    """Renews certificates. Safe for many threads."""

    def __init__(
        self, *, database: Database, authority: CertificateAuthority, request_desk: RequestDesk, clock: Clock
    ) -> None:
        """Issue through ``authority``, or file at the desk."""
        self._database = database
        self._authority = authority
        self._desk = request_desk
        self._clock = clock

    def renew(self, certification_request: bytes, principal: Principal) -> Renewed:
        """Renew the certificate that a principal shows, over the key of a request.

        Raises the refusal (recorded) of the authority; ``RenewedTooOften``; ``Unavailable``.
        """
        content = csr.normalise(certification_request)
        with self._database.read() as session:
            present = credential.get(session, principal.serial)
            asked = _asked(session, present, content)
            filed = _filed(session, asked, principal)
            needed = _officers(session, present)
            known = filed is not None or admission.find_earlier(session, [asked.digest], self._clock.now())
            if not known and self._recent(session, present) >= _MOST:
                raise RenewedTooOften(f"{_MOST} certificates were issued in a day: ask the registration officer")
        if filed is None and needed > 1:
            filed = self._desk.file(asked, actor=principal.identifier)
        if filed is not None:
            return self._waiting(filed)
        # A refusal is in the record; the very same request gets what was issued for it.
        (made,) = self._authority.issue_batch([asked], actor=principal.identifier, officers=1)
        if isinstance(made, TrustError):
            raise made
        return Renewed("issued", made.serial, made.chain_pem)

    def _recent(self, session: Session, present: Credential) -> int:
        since = self._clock.now() - timedelta(days=1)
        statement = select(func.count()).where(
            Credential.holder_kind == present.holder_kind,
            Credential.holder == present.holder,
            Credential.profile == present.profile,
            Credential.not_before > since,
        )
        return session.exec(statement).one()

    def _waiting(self, filed: DeskRequest) -> Renewed:
        waits = desk.NEXT.get(filed.state, "")
        if not filed.serial:
            return Renewed(filed.state, request=filed.id, waits_for=waits, comment=filed.comment)
        with self._database.read() as session:
            return Renewed("issued", filed.serial, certified.chain(session, Serial(filed.serial)), filed.id)


def _asked(session: Session, present: Credential, content: bytes) -> IssuanceRequest:
    """Return what is asked for: everything as in the present certificate, but for the key and the days."""
    names = certified.hosts(session, Serial(present.serial))
    # A validity period includes its last second (RFC 5280, 4.1.2.5).
    life = present.not_after - present.not_before + timedelta(seconds=1)
    return IssuanceRequest(
        csr=content,
        profile=present.profile,
        holder_kind=None,
        holder=present.holder,
        dns_names=names.dns_names,
        ip_addresses=names.ip_addresses,
        lifetime_seconds=int(life.total_seconds()),
        renews=present.serial,
    )


def _filed(session: Session, asked: IssuanceRequest, principal: Principal) -> DeskRequest | None:
    statement = select(DeskRequest).where(
        DeskRequest.digest == asked.digest, DeskRequest.requester == principal.identifier
    )
    return session.exec(statement.order_by(col(DeskRequest.filed_at).desc())).first()


def _officers(session: Session, present: Credential) -> int:
    about = holder.find(session, SubjectKind(present.holder_kind), present.holder)
    return profileset.active(session).get(present.profile).officers(about.level)
