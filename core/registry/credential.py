"""Credentials: which certificate stands for whom, and whether it is still good.

Written by ``pki`` in the very transaction that issues or revokes, read by everyone who decides: a revocation reaches
a decision at once and without a message.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, select

from core.database import UtcDateTime
from core.errors import NotFound, Unauthenticated
from core.identity import Principal, Serial


class CredentialState(StrEnum):
    """Good, on hold, or revoked; there is no way back from revoked. On hold it opens no door either."""

    GOOD = "good"
    HELD = "held"
    REVOKED = "revoked"


class Credential(SQLModel, table=True):
    """One issued certificate and its holder (``holder_kind`` is a ``SubjectKind``)."""

    __table_args__ = (
        Index("ix_credential_not_before", "not_before", "serial"),
        Index("ix_credential_holder", "holder", "not_before", "serial"),
        Index("ix_credential_state", "state", "not_before", "serial"),
    )

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=80)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(max_length=80)
    domain: str = Field(max_length=80)
    profile: str = Field(max_length=40)
    certificate_sha256: str = Field(unique=True, max_length=64)
    spki_sha256: str = Field(index=True, max_length=64)
    not_before: datetime = Field(sa_type=UtcDateTime)
    not_after: datetime = Field(sa_type=UtcDateTime)
    state: str = Field(default=CredentialState.GOOD.value, max_length=10)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revocation_reason: str = Field(default="", max_length=40)


def find(session: Session, serial: Serial) -> Credential | None:
    """Return the credential with ``serial``, or nothing when it was never entered."""
    return session.get(Credential, serial)


def hold(session: Session, serial: Serial) -> Credential | None:
    """As ``find``, and let nobody revoke it before the caller's transaction ends: what was decided on stays so."""
    return session.get(Credential, serial, with_for_update={"read": True}, populate_existing=True)


def get(session: Session, serial: Serial) -> Credential:
    """Return the credential with ``serial``; raises ``NotFound``."""
    credential = session.get(Credential, serial)
    if credential is None:
        raise NotFound(f"no certificate has the serial number `{serial}`", hint="see `guosuo cert list`")
    return credential


def held_by(session: Session, kind: str, holder: str) -> list[Credential]:
    """Return every credential of a holder, oldest first."""
    statement = select(Credential).where(Credential.holder_kind == kind, Credential.holder == holder)
    return sorted(session.exec(statement), key=lambda credential: credential.not_before)


def with_key(session: Session, spki_sha256: str) -> list[Credential]:
    """Return every credential over the key with this SubjectPublicKeyInfo hash (64 hexadecimal digits)."""
    return list(session.exec(select(Credential).where(Credential.spki_sha256 == spki_sha256)))


class CredentialStanding:
    """Implements ``core.signing.GoodStanding``."""

    def hold(self, session: Session, principal: Principal) -> None:
        """Hold the principal's credential; raises ``Unauthenticated`` unless it is good."""
        found = hold(session, principal.serial)
        if found is None or found.holder != principal.identifier or found.state != CredentialState.GOOD:
            detail = f"the certificate `{principal.serial}` that this was signed with is not good any more"
            raise Unauthenticated(detail, hint="nothing was done", reason="revoked")
