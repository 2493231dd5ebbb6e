"""What the store knows about requests: holders, uses of a key, what was issued before; and with that, the judgement."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, func, select

from core.errors import TrustError, Unavailable
from core.identity import Serial, SubjectKind
from core.registry.credential import Credential, CredentialState
from pki import authorisation, form, holder
from pki.authorisation import Admitted, KeyUse
from pki.csr import CertificationRequest
from pki.errors import WrongProfile
from pki.models import Certificate, IssuanceIntent
from pki.names import Holder
from pki.profile import Profiles
from pki.request import IssuanceRequest


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was issued for the very same request before, and is good."""

    serial: Serial
    der: bytes


Judgement = Admitted | TrustError


def judge(session: Session, profiles: Profiles, requests: Sequence[IssuanceRequest]) -> list[Judgement]:
    """Return for each request what may be issued, or why nothing may. Raises ``Unavailable`` alone."""
    read = [_read(one) for one in requests]
    judge = _Judge(session, profiles, _uses(session, [_key(one) for one in read if not isinstance(one, TrustError)]))
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
        uses = self.uses.setdefault(_key(content), [])
        admitted = authorisation.authorise(content, self.holders[who], profile, request.wanted, uses)
        # Whoever comes later in the same batch with the same key must be the same holder.
        uses.append(KeyUse("", kind.value, request.holder, revoked=False))
        return admitted


def find_earlier(session: Session, digests: Sequence[str], at: datetime) -> dict[str, Earlier]:
    """Return, by the digest of a request, the certificate that was issued for it and is good at ``at``."""
    statement = (
        select(IssuanceIntent.request, Certificate.serial, Certificate.der)
        .join(Certificate, col(Certificate.serial) == col(IssuanceIntent.serial))
        .join(Credential, col(Credential.serial) == col(IssuanceIntent.serial))
        .where(
            col(IssuanceIntent.request).in_(digests),
            IssuanceIntent.state == "issued",
            Credential.state == CredentialState.GOOD.value,
            Credential.not_after > at,
        )
        .order_by(col(IssuanceIntent.at))
    )
    return {digest: Earlier(Serial(serial), der) for digest, serial, der in session.exec(statement)}


def _read(request: IssuanceRequest) -> CertificationRequest | TrustError:
    try:
        return form.read(request.csr)
    except TrustError as refusal:
        return refusal


def _key(content: CertificationRequest) -> str:
    return hashlib.sha256(content.spki).hexdigest()


def _uses(session: Session, keys: Sequence[str]) -> dict[str, list[KeyUse]]:
    """Return every use of these keys, each by the SHA-256 of its SubjectPublicKeyInfo."""
    if not keys:
        return {}
    # One row for each holder and state, however often a key was certified.
    about = (Credential.spki_sha256, Credential.holder_kind, Credential.holder, Credential.state)
    statement = select(func.min(Credential.serial), *about)  # type: ignore[call-overload]  # five columns
    uses: dict[str, list[KeyUse]] = {}
    for serial, key, kind, name, state in session.exec(
        statement.where(col(Credential.spki_sha256).in_(keys)).group_by(*about)
    ):
        # On hold like revoked: a key that is in doubt is not certified again.
        uses.setdefault(key, []).append(KeyUse(serial, kind, name, state != CredentialState.GOOD.value))
    return uses
