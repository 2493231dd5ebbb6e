"""What the store knows about requests: holders, uses of a key, what was issued before; and with that, the judgement."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlmodel import Session, and_, col, func, or_, select

from core.errors import TrustError, Unavailable
from core.identity import Serial, SubjectKind
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from pki import authorisation, form, holder
from pki.authorisation import Admitted, KeyUse
from pki.csr import CertificationRequest
from pki.errors import NotRenewable, WrongProfile
from pki.models import Certificate, IssuanceIntent
from pki.names import Holder
from pki.profile import Profiles
from pki.request import IssuanceRequest

#: Before anything was issued.
EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was issued for the very same request before, and is good."""

    serial: Serial
    der: bytes


Judgement = Admitted | TrustError


def judge(session: Session, profiles: Profiles, requests: Sequence[IssuanceRequest]) -> list[Judgement]:
    """Return for each request what may be issued, or why nothing may. Raises ``Unavailable`` alone."""
    read = [_read(one) for one in requests]
    judge = _Judge(session, profiles, uses(session, [key_of(one) for one in read if not isinstance(one, TrustError)]))
    judged: list[Judgement] = []
    for request, content in zip(requests, read, strict=True):
        try:
            judged.append(judge.admit(request, content))
        except Unavailable:
            raise
        except TrustError as refusal:
            judged.append(refusal)
    return judged


@dataclass(frozen=True, slots=True)
class _Judge:
    """What one batch has in common: ``uses`` by key, and each holder looked up once."""

    session: Session
    profiles: Profiles
    uses: dict[str, list[KeyUse]]
    holders: dict[tuple[SubjectKind, str], Holder] = field(default_factory=dict)

    def admit(self, request: IssuanceRequest, content: CertificationRequest | TrustError) -> Admitted:
        profile = self.profiles.get(request.profile)
        kind = request.holder_kind or profile.holder
        if kind is not profile.holder:
            raise WrongProfile(f"the profile `{profile.name}` is not for a {kind}")
        if isinstance(content, TrustError):
            raise content
        who = kind, request.holder
        if who not in self.holders:
            self.holders[who] = holder.find(self.session, *who)
        if request.renews:
            check_renewable(self.session, request.renews)
        uses = self.uses.setdefault(key_of(content), [])
        admitted = authorisation.authorise(content, self.holders[who], profile, request.wanted, uses)
        # Whoever comes later in the same batch with the same key must be the same holder.
        uses.append(KeyUse("", kind.value, request.holder, revoked=False))
        return admitted


def check_renewable(session: Session, serial: str, *, hold: bool = False) -> None:
    """Raise ``NotRenewable`` unless a certificate is good; with ``hold`` it stays so until the transaction ends."""
    found = (credential.hold if hold else credential.find)(session, Serial(serial))
    if found is None or found.state != CredentialState.GOOD:
        raise NotRenewable(f"the certificate {serial} is not good any more: it renews nothing")


def find_earlier(
    session: Session, digests: Sequence[str], at: datetime, *, since: datetime = EVER
) -> dict[str, Earlier]:
    """Return, by the digest of a request, the certificate that was issued for it ``since`` and is good at ``at``."""
    statement = (
        select(IssuanceIntent.request, Certificate.serial, Certificate.der)
        .join(Certificate, col(Certificate.serial) == col(IssuanceIntent.serial))
        .join(Credential, col(Credential.serial) == col(IssuanceIntent.serial))
        .where(
            col(IssuanceIntent.request).in_(digests),
            IssuanceIntent.state == "issued",
            IssuanceIntent.at >= since,
            Credential.state == CredentialState.GOOD.value,
            Credential.not_after > at,
        )
        .order_by(col(IssuanceIntent.at))
    )
    return {digest: Earlier(Serial(serial), der) for digest, serial, der in session.exec(statement)}


def find_issued(session: Session, digest: str, since: datetime) -> Serial | None:
    """Return the serial number that a request was given ``since``, the newest; whatever became of the certificate."""
    statement = select(IssuanceIntent.serial).where(
        IssuanceIntent.request == digest, IssuanceIntent.state == "issued", IssuanceIntent.at >= since
    )
    found = session.exec(statement.order_by(col(IssuanceIntent.at).desc()).limit(1)).first()
    return None if found is None else Serial(found)


def is_intended(session: Session, digest: str, since: datetime) -> bool:
    """Say whether a certificate for a request is about to be signed, or was issued ``since``."""
    statement = select(IssuanceIntent.serial).where(
        IssuanceIntent.request == digest,
        or_(
            IssuanceIntent.state == "open",
            and_(col(IssuanceIntent.state) == "issued", col(IssuanceIntent.at) >= since),
        ),
    )
    return session.exec(statement.limit(1)).first() is not None


def _read(request: IssuanceRequest) -> CertificationRequest | TrustError:
    try:
        return form.read(request.csr)
    except TrustError as refusal:
        return refusal


def key_of(content: CertificationRequest) -> str:
    """Return the SHA-256 (hexadecimal) of a request's SubjectPublicKeyInfo."""
    return hashlib.sha256(content.spki).hexdigest()


def uses(session: Session, keys: Sequence[str], *, hold: bool = False) -> dict[str, list[KeyUse]]:
    """Return every use of these keys, each by the SHA-256 of its SubjectPublicKeyInfo.

    With ``hold`` none of them can be revoked before the caller's transaction ends.
    """
    if not keys:
        return {}
    if hold:
        certified = select(Credential.serial).where(col(Credential.spki_sha256).in_(keys))
        session.exec(certified.order_by(Credential.serial).with_for_update(read=True)).all()
    # One row for each holder and state, however often a key was certified.
    about = (Credential.spki_sha256, Credential.holder_kind, Credential.holder, Credential.state)
    statement = select(func.min(Credential.serial), *about)  # type: ignore[call-overload]  # five columns
    found: dict[str, list[KeyUse]] = {}
    for serial, key, kind, name, state in session.exec(
        statement.where(col(Credential.spki_sha256).in_(keys)).group_by(*about)
    ):
        # On hold like revoked: a key that is in doubt is not certified again.
        found.setdefault(key, []).append(KeyUse(serial, kind, name, state != CredentialState.GOOD.value))
    return found
