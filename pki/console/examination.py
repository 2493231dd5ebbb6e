"""What an officer looks at before deciding: what is asked, what the register says, the judgement, who may decide."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlmodel import Session

from core.errors import TrustError
from core.identity import PersonId, SubjectKind
from core.registry import person, role
from pki import admission, csr, deskofficer, deskstate, holder, profileset
from pki.authorisation import Admitted
from pki.deskstate import Standing, State
from pki.models import DeskRequest
from pki.names import Holder
from pki.request import IssuanceRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request itself says; ``problem`` instead when it cannot be read."""

    subject: str = ""
    key: str = ""
    spki_sha256: str = ""
    names: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    problem: TrustError | None = None


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who decided or could: their id, and their name when the register has it."""

    person: str
    name: str


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that a page tells of a request; a ``TrustError`` stands where something would be refused.

    ``approved_by`` are those whose approval counts now, ``lapsed`` who agreed and may not decide any more, ``could``
    who may decide next; ``refusal`` says why the viewer may not.
    """

    row: DeskRequest
    state: State
    hosts: tuple[str, ...]
    asked: Asked
    register: Holder | TrustError
    judgement: Admitted | TrustError
    subject: tuple[str, ...]
    approved_by: Sequence[Officer]
    lapsed: Sequence[Officer]
    could: Sequence[Officer]
    refusal: TrustError | None
    open: bool


def examine(session: Session, row: DeskRequest, *, viewer: str, at: datetime) -> Examination:
    """Look at a request as it stands now; nothing is recorded and nothing changed."""
    gone = _gone(session, row, at)
    standing = deskstate.lapse(standing_of(row), gone)
    request = _request(row)
    (judgement,) = admission.judge(session, profileset.active(session), [request])
    return Examination(
        row=row,
        state=standing.state,
        hosts=request.dns_names,
        asked=_asked(request.csr),
        register=_registered(session, row),
        judgement=judgement,
        subject=_subject(judgement),
        approved_by=[_officer(session, name) for name in standing.approved_by],
        lapsed=[_officer(session, name) for name in gone],
        could=_could(session, standing, at),
        refusal=_refusal(standing, viewer),
        open=standing.state in (State.SUBMITTED, State.CHECKED, State.APPROVED),
    )


def standing_of(row: DeskRequest) -> Standing:
    """Return what decides on a request's next step."""
    about = row.holder if row.holder_kind == SubjectKind.PERSON else ""
    people = tuple(one.person for one in deskofficer.read(row.approved_by))
    return Standing(State(row.state), row.requester, about, people, row.needed)


def _gone(session: Session, row: DeskRequest, at: datetime) -> list[str]:
    if State(row.state) not in (State.CHECKED, State.APPROVED):
        return []
    return [one.person for one in deskofficer.find_lapsed(session, deskofficer.read(row.approved_by), at)]


def _could(session: Session, standing: Standing, at: datetime) -> list[Officer]:
    offices = sorted({who for who, _domain, name in role.held(session, at) if name in deskofficer.DECIDING})
    return [
        _officer(session, who)
        for who in offices
        if _refusal(standing, who) is None and _is_able(session, who) and role.conflict(_held(session, who, at)) is None
    ]


def _held(session: Session, who: str, at: datetime) -> tuple[str, ...]:
    return role.on_site(session, PersonId(who), at)


def _is_able(session: Session, who: str) -> bool:
    try:
        person.get_able(session, PersonId(who))
    except TrustError:
        return False
    return True


def _refusal(standing: Standing, who: str) -> TrustError | None:
    """Return why ``who`` could not approve now, or nothing."""
    try:
        deskstate.approve(standing, who)
    except TrustError as refused:
        return refused
    return None


def _officer(session: Session, who: str) -> Officer:
    found = person.find(session, who)
    return Officer(who, found.name if found else "")


def _registered(session: Session, row: DeskRequest) -> Holder | TrustError:
    try:
        return holder.find(session, SubjectKind(row.holder_kind), row.holder)
    except TrustError as refused:
        return refused


def _asked(content: bytes) -> Asked:
    try:
        read = csr.parse_request(content)
    except TrustError as refused:
        return Asked(problem=refused)
    key = read.key
    kind = f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else f"EC {key.curve.name}"
    return Asked(
        subject=read.subject.rfc4514_string(),
        key=kind,
        spki_sha256=hashlib.sha256(read.spki).hexdigest(),
        names=(*read.hosts, *read.addresses),
        extensions=read.extensions,
    )


def _subject(judgement: Admitted | TrustError) -> tuple[str, ...]:
    if isinstance(judgement, TrustError):
        return ()
    about = judgement.holder
    return (about.organisation, about.name, about.identifier)


def _request(row: DeskRequest) -> IssuanceRequest:
    hosts = tuple(json.loads(row.dns_names))
    return IssuanceRequest(
        row.csr.encode("ascii"), row.profile, None, row.holder, hosts, lifetime_seconds=row.lifetime_seconds
    )
