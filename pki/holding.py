"""What somebody holds in certificates and one-time codes (``core.registry.holding.Holder``), and none is left."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, and_, col, not_, or_, select

from core.identity import PersonId, Serial, SubjectKind
from core.registry.credential import Credential, CredentialState
from core.registry.holding import Holding
from pki import enrolment, revocation
from pki.models import EnrolmentCode
from pki.onetime import CodeState

#: RFC 5280, 5.3.1 and X.509 9.5.3.1: the subject's affiliation changed, and there is no cause to suspect the key.
#: Not cessation-of-operation: that says that the certificate is no longer needed for its purpose, as when a machine
#: is taken out of service; the person goes on and belongs somewhere else.
LEFT = "affiliation-changed"


class Certificates:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the certificates, good at a time, of a person, a device, a domain, or over a key (its SPKI hash)."""
        statement = select(Credential).where(
            Credential.not_after >= at,
            # What is on hold comes back when its hold ends: it is held like what is good.
            or_(
                col(Credential.revoked_at).is_(None),
                col(Credential.revoked_at) > at,
                Credential.state == CredentialState.HELD.value,
            ),
        )
        match kind:
            case "person":
                people = SubjectKind.PERSON.value
                statement = statement.where(Credential.holder_kind == people, Credential.holder == identifier)
            case "device":
                people = SubjectKind.PERSON.value
                statement = statement.where(Credential.holder_kind != people, Credential.holder == identifier)
            case "domain":
                statement = statement.where(Credential.domain == identifier)
            case _:
                statement = statement.where(Credential.spki_sha256 == identifier)
        rows = session.exec(statement.order_by(Credential.serial)).all()
        return [Holding("certificate", row.serial, _title(row), row.domain, ends=True) for row in rows]

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002  # a certificate passes to nobody
        actor: str,
        at: datetime,
    ) -> Sequence[Holding]:
        """Revoke every good certificate of ``person``; the lists follow by the job ``pki.crl.publish``."""
        held = self.holdings(session, "person", person, at)
        for one in held:
            revocation.revoke(session, Serial(one.identifier), reason=LEFT, actor=actor, at=at)
        return held


class Codes:
    """Implements ``core.registry.holding.Holder``: open codes for a person, and those that the person made."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the one-time codes that are open at a time, of a person, a device or a domain; a key has none."""
        statement = select(EnrolmentCode).where(
            EnrolmentCode.state == CodeState.OPEN.value, EnrolmentCode.expires_at > at
        )
        people = EnrolmentCode.holder_kind == SubjectKind.PERSON.value
        match kind:
            case "person":
                theirs = and_(people, EnrolmentCode.holder == identifier)
                statement = statement.where(or_(theirs, EnrolmentCode.maker == identifier))
            case "device":
                statement = statement.where(not_(people), EnrolmentCode.holder == identifier)
            case "domain":
                statement = statement.where(EnrolmentCode.domain == identifier)
            case _:
                return []
        rows = session.exec(statement.order_by(EnrolmentCode.id)).all()
        return [Holding("code", row.id, f"one-time code for {row.holder}", row.domain, ends=True) for row in rows]

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002  # a code passes to nobody
        actor: str,
        at: datetime,
    ) -> Sequence[Holding]:
        """Withdraw every open code for ``person`` or made by them."""
        held = self.holdings(session, "person", person, at)
        for one in held:
            enrolment.withdraw(session, one.identifier, actor=actor, at=at)
        return held


def _title(row: Credential) -> str:
    return f"{row.profile} of {row.holder} until {row.not_after:%Y-%m-%d}"
