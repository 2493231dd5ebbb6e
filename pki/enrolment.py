"""One-time codes for people and machines of the register: made, listed, withdrawn. Redeeming one: ``redemption.py``.

A code is a request that is still without its key: it is filed, in the name of who made the code, when somebody shows
it, and then waits for the officers like every other. Of one holder and profile at most one code is open.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.errors import NotFound
from core.identity import Serial, SubjectKind
from core.ledger import evidence
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from pki import authorisation, certified, events, holder, onetime, profileset, revocation
from pki.authorisation import Wanted
from pki.errors import AlreadyRevoked, BadCode, NotOpen, WrongProfile
from pki.models import RENEWS, EnrolmentCode, IssuanceIntent
from pki.onetime import Code, CodeState

ONBOARDING, LOST = "onboarding", "lost-token"

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Invitation:
    """For whom a code is to be: an id of the register, by which profile, with which host names, and for how long."""

    holder: str
    profile: str
    dns_names: tuple[str, ...] = ()
    life: timedelta = onetime.USUAL_LIFE
    purpose: str = ONBOARDING


def open_code(
    session: Session, asked: Invitation, *, actor: str, at: datetime, random: Random
) -> tuple[EnrolmentCode, Code]:
    """Make a code and return it with its row: it is shown this once. An earlier one for the same is withdrawn.

    Raises what issuing would say of holder, profile and names, and ``BadCode`` for a life that is too short or long.
    """
    if not onetime.SHORTEST_LIFE <= asked.life <= onetime.LONGEST_LIFE:
        least, most = onetime.SHORTEST_LIFE, onetime.LONGEST_LIFE
        raise BadCode(f"a one-time code is good for {least} to {most} hours", hint="leave --valid out for a day")
    profile = profileset.active(session).get(asked.profile)
    if profile.holder is SubjectKind.BOOTSTRAP:
        raise WrongProfile("the bootstrap administrator is not enrolled: `guosuo init` makes its certificate")
    about = holder.find(session, profile.holder, asked.holder)
    authorisation.check_asked(about, profile, Wanted(asked.dns_names))
    for earlier in _open_codes(session, asked.holder, asked.profile):
        _end(session, earlier, actor=actor, at=at)
    made, salt = _new(session, random), random(onetime.SALT)
    row = EnrolmentCode(
        id=made.name,
        holder_kind=profile.holder.value,
        holder=asked.holder,
        domain=about.domain,
        profile=asked.profile,
        dns_names=json.dumps(asked.dns_names),
        purpose=asked.purpose,
        maker=actor,
        made_at=at,
        expires_at=at + asked.life,
        salt=salt,
        verifier=onetime.verifier(made.secret, salt),
    )
    session.add(row)
    evidence.append(session, events.code_opened(row), at=at)
    return row, made


@dataclass(frozen=True, slots=True)
class Loss:
    """What was lost: a certificate's key, or with ``every`` whatever its holder had; and for what reason it goes."""

    serial: Serial
    reason: str
    every: bool = False
    life: timedelta = onetime.USUAL_LIFE


def replace_lost(
    session: Session, loss: Loss, *, actor: str, at: datetime, random: Random
) -> tuple[EnrolmentCode, Code, list[str]]:
    """Revoke a certificate whose key is lost, and make a code for the same holder.

    Every other certificate over that key goes too, and what was got by renewal since: by whoever had the key. All of it
    or nothing. Return the code and the revoked serial numbers. Raises as ``open_code`` and
    ``revocation.revoke`` do.
    """
    lost = credential.get(session, loss.serial)
    if lost.state == CredentialState.REVOKED:
        hint = f"`guosuo code open {lost.holder}` makes a code for its holder"
        raise AlreadyRevoked(f"the certificate {lost.serial} is revoked already", hint=hint)
    hosts = certified.hosts(session, loss.serial).dns_names
    asked = Invitation(lost.holder, lost.profile, hosts, loss.life, LOST)
    row, made = open_code(session, asked, actor=actor, at=at, random=random)
    gone = credential.held_by(session, lost.holder_kind, lost.holder) if loss.every else _got_by(session, lost)
    over = sorted(one.serial for one in gone if one.state != CredentialState.REVOKED and one.not_after >= at)
    for one in over:
        revocation.revoke(session, Serial(one), reason=loss.reason, actor=actor, at=at)
    return row, made, over


def _got_by(session: Session, lost: Credential) -> list[Credential]:
    """Return the certificates over a lost key, and those that were renewed from them, and from these."""
    found: dict[str, Credential] = {}
    waiting = credential.with_key(session, lost.spki_sha256)
    while waiting:
        one = waiting.pop()
        if one.serial in found:
            continue
        found[one.serial] = one
        renewed = select(Credential).join(IssuanceIntent, col(IssuanceIntent.serial) == col(Credential.serial))
        # The second condition is the index's own: without it the store would look through every certificate.
        for later in session.exec(renewed.where(IssuanceIntent.renews == one.serial, RENEWS)).all():
            waiting += credential.with_key(session, later.spki_sha256)
    return list(found.values())


def withdraw(session: Session, identifier: str, *, actor: str, at: datetime) -> EnrolmentCode:
    """Withdraw an open code. Raises ``NotFound``, ``NotOpen``."""
    row = locked(session, identifier)
    if row is None:
        raise NotFound(f"there is no one-time code `{identifier[:6]}`", hint="see `guosuo code list`")
    if row.state != CodeState.OPEN:
        raise NotOpen(f"the one-time code `{row.id}` is {row.state}: there is nothing left to withdraw")
    _end(session, row, actor=actor, at=at)
    return row


def find(session: Session, state: str, holder_: str, limit: int) -> Sequence[EnrolmentCode]:
    """Return codes, newest first: in one state or in all, of one holder or of all."""
    statement = select(EnrolmentCode).order_by(col(EnrolmentCode.made_at).desc(), EnrolmentCode.id).limit(limit)
    if state:
        statement = statement.where(EnrolmentCode.state == state)
    return session.exec(statement.where(EnrolmentCode.holder == holder_) if holder_ else statement).all()


def dns_names(row: EnrolmentCode) -> list[str]:
    """Return the host names that a code is for."""
    return list(json.loads(row.dns_names))


def is_over(row: EnrolmentCode, now: datetime) -> bool:
    """Say whether an open code's time is over."""
    return row.state == CodeState.OPEN and now >= row.expires_at


def locked(session: Session, identifier: str) -> EnrolmentCode | None:
    """Return a code that nobody else acts on meanwhile (SQLite: by the write lock)."""
    return session.get(EnrolmentCode, identifier, with_for_update=True, populate_existing=True)


def _open_codes(session: Session, holder_: str, profile: str) -> Sequence[EnrolmentCode]:
    statement = select(EnrolmentCode).where(
        EnrolmentCode.holder == holder_,
        EnrolmentCode.profile == profile,
        EnrolmentCode.state == CodeState.OPEN.value,
    )
    return session.exec(statement.with_for_update()).all()


def _new(session: Session, random: Random) -> Code:
    while True:
        made = onetime.make(random)
        if session.get(EnrolmentCode, made.name) is None:
            return made


def _end(session: Session, row: EnrolmentCode, *, actor: str, at: datetime) -> None:
    row.state, row.ended_at = CodeState.WITHDRAWN.value, at
    session.add(row)
    evidence.append(session, events.code_withdrawn(row, actor=actor), at=at)
