"""What two people agreed on is carried out: a few certificates in each transaction, and the authority with the last.

Until then nothing of it is published or believed: no list of ours is ever seen that lacks what the old one revoked.
Each item is judged anew when its turn comes, because the register may have changed; what was done is not done again, so
that a crash between two transactions leaves a plan that goes on.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlmodel import Session, col, delete, func, select

from core.clock import as_recorded
from core.identity import Serial
from core.ledger import evidence
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from pki import hierarchy, planning, pointers, revocation
from pki.models import Authority, AuthorityPlan, Certificate, CertificateHold, CrlPublication, Revocation
from pki.models import RevocationChange as Change
from pki.namespace import NameSpace
from pki.plan import Plan
from pki.reason import HOLD
from pki.revocation import LONGEST_HOLD
from pki.takeover import authority, events, staging
from pki.takeover.authority import JUMP, OldAuthority
from pki.takeover.judgement import CHANGES, ENTERS, LISTED, Judge, Verdict
from pki.takeover.material import Header, Item
from pki.takeover.models import Takeover, TakeoverItem, TakeoverPlan
from pki.takeover.row import GOOD, HELD

#: How many certificates one transaction brings over.
TOGETHER = 100

#: Whose key signed an authority's certificate when that is nobody of ours.
OUTSIDE = "outside"


def open_plans(session: Session) -> list[str]:
    """Return what was agreed on and is not carried out yet, the oldest first."""
    statement = select(TakeoverPlan.digest).where(TakeoverPlan.state == "open")
    return list(session.exec(statement.order_by(col(TakeoverPlan.at))))


def is_begun(session: Session, digest: str) -> bool:
    """Say whether the authority of a plan is ours already."""
    row = session.get_one(TakeoverPlan, digest)
    return session.get(Takeover, row.authority) is not None


def begin(session: Session, row: TakeoverPlan, header: Header, at: datetime) -> None:
    """Enter the authority, and the number that its lists go on from; its key is one of ours by now."""
    old = staging.check(session, header, at)
    planned = enter_authority(session, row, header, old, at)
    of = Takeover(
        authority=row.authority,
        key=header.key,
        domains=planned.domains,
        certificate_sha256=hashlib.sha256(old.der).hexdigest(),
        number=header.number,
        begun_at=at,
    )
    session.add(of)
    floor = raise_numbers(session, row.authority, header.number + JUMP, at)
    made = session.get_one(Authority, row.authority)
    evidence.append(session, events.begun(made, planned, of, floor, row.digest), at=at)


def enter_authority(
    session: Session, row: TakeoverPlan, header: Header, old: OldAuthority, at: datetime
) -> AuthorityPlan:
    """Enter the authority's certificate, and its plan: from it the worker makes the responder."""
    number = (session.exec(select(func.max(AuthorityPlan.number))).one() or 0) + 1
    made = Plan(header.authority, header.authority, old.path_length, "p256", tuple(sorted(header.domains)), NameSpace())
    people = row.actor, row.approver
    planned = planning.enter(session, made, number, people=people, basis=row.basis, at=at)
    above = header.authority if old.is_self_signed else OUTSIDE
    entered = Authority(name=header.authority, key=header.key, serial=old.serial, der=old.der, issuer=above)
    hierarchy.enter(session, entered)
    return planned


def raise_numbers(session: Session, name: str, floor: int, at: datetime) -> int:
    """Let the numbers of an authority's lists go on behind ``floor``; return behind which they do."""
    highest = session.exec(select(func.max(CrlPublication.number)).where(CrlPublication.issuer == name)).one() or 0
    if floor > highest:
        # A number that no list bears: the next one is behind it.
        session.add(CrlPublication(issuer=name, number=floor, this_update=at, next_update=at, entries=0))
        session.flush()
    return max(floor, highest)


def step(session: Session, digest: str, at: datetime, *, most: int = TOGETHER) -> TakeoverPlan:
    """Bring over the next ``most`` of a plan, in the caller's transaction; return how it stands."""
    row = staging.get(session, digest)
    of = session.get(Takeover, row.authority, with_for_update=True)
    header = staging.header_of(row)
    if of is not None and header.number > of.number:
        of.number = header.number
        session.add(of)
        floor = raise_numbers(session, of.authority, header.number + JUMP, at)
        evidence.append(session, events.moved(of, floor, digest, actor=row.approver), at=at)
    statement = select(TakeoverItem).where(TakeoverItem.plan == digest).order_by(col(TakeoverItem.position))
    items = session.exec(statement.limit(most)).all()
    _bring(session, row, header, items, at)
    gone = col(TakeoverItem.plan) == digest, col(TakeoverItem.position).in_([one.position for one in items])
    session.connection().execute(delete(TakeoverItem).where(*gone))
    row.done += len(items)
    if row.done >= row.total and row.state == "open":
        row.state = "done"
        if of is None:
            begin(session, row, header, at)
        evidence.append(session, events.concluded(row), at=at)
    session.add(row)
    session.flush()
    return row


def _bring(session: Session, row: TakeoverPlan, header: Header, items: Sequence[TakeoverItem], at: datetime) -> None:
    judging = Judge(session, authority.read(header.der, at), row.authority, at)
    one = _Carrying(session, row, at)
    words: Counter[str] = Counter()
    for kept in items:
        item = Item.model_validate_json(kept.content)
        verdict = judging.judge(item)
        words[verdict.word] += 1
        one.carry(item, verdict)
    row.entered += words[ENTERS]
    row.listed += words[LISTED]
    row.changed += words[CHANGES]
    row.left += len(items) - words[ENTERS] - words[LISTED] - words[CHANGES]


class _Carrying:
    """Writes what a verdict says, each with its record."""

    def __init__(self, session: Session, row: TakeoverPlan, at: datetime) -> None:
        self._session = session
        self._row = row
        self._at = at

    def carry(self, item: Item, verdict: Verdict) -> None:
        """Do it."""
        if verdict.word == ENTERS:
            self._enter(item, verdict)
        if verdict.word in (ENTERS, CHANGES) and item.state == HELD:
            self._hold(item)
        elif verdict.word in (ENTERS, LISTED, CHANGES) and item.state != GOOD:
            self._revoke(item)

    def _enter(self, item: Item, verdict: Verdict) -> None:
        loaded, holder = verdict.loaded, verdict.holder
        assert loaded is not None
        assert holder is not None
        spki = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        one = Credential(
            serial=item.serial,
            issuer=self._row.authority,
            holder_kind=holder.kind,
            holder=holder.identifier,
            domain=holder.domain,
            profile=item.profile,
            certificate_sha256=hashlib.sha256(item.der).hexdigest(),
            spki_sha256=hashlib.sha256(spki).hexdigest(),
            not_before=loaded.not_valid_before_utc,
            not_after=loaded.not_valid_after_utc,
        )
        begun = loaded.not_valid_before_utc
        self._session.add(Certificate(serial=item.serial, issuer=one.issuer, issued_at=begun, der=item.der))
        self._session.add(one)
        self._session.flush()
        told = events.entered(one, item.der, self._row.digest, actor=self._row.approver)
        evidence.append(self._session, told, at=self._at)

    def _revoke(self, item: Item) -> None:
        assert item.at is not None
        enter_revocation(self._session, Serial(item.serial), self._row.authority, item.reason, item.at, self._at)
        name, actor = self._row.authority, self._row.approver
        told = events.revoked(item.serial, name, item.at, item.reason, self._row.digest, actor=actor)
        evidence.append(self._session, told, at=self._at)

    def _hold(self, item: Item) -> None:
        assert item.at is not None
        until = as_recorded(self._at + LONGEST_HOLD)
        one = credential.get(self._session, Serial(item.serial))
        enter_hold(self._session, one, item.at, until, self._at)
        told = events.held(one, item.at, until, self._row.digest, actor=self._row.approver)
        evidence.append(self._session, told, at=self._at)


def enter_revocation(  # noqa: PLR0917  # an entry of a list, and when it came
    session: Session, serial: Serial, name: str, word: str, since: datetime, at: datetime
) -> None:
    """Enter a serial number into the lists since when it was revoked there; its change is one of now."""
    entry, shard = revocation.encode_entry(serial, since, word), pointers.shard(serial)
    held = session.get(CertificateHold, serial)
    if held is not None:
        session.delete(held)
    session.add(Revocation(serial=serial, issuer=name, shard=shard, at=since, reason=word, entry=entry))
    session.add(Change(issuer=name, shard=shard, serial=serial, at=at, entry=entry))
    _mark(session, credential.find(session, serial), CredentialState.REVOKED, since, word)


def enter_hold(session: Session, one: Credential, since: datetime, until: datetime, at: datetime) -> None:
    """Put a certificate on hold since when it was put there; its change is one of now."""
    serial = Serial(one.serial)
    entry, shard = revocation.encode_entry(serial, since, HOLD), pointers.shard(serial)
    session.add(CertificateHold(serial=serial, issuer=one.issuer, shard=shard, at=since, until=until, entry=entry))
    session.add(Change(issuer=one.issuer, shard=shard, serial=serial, at=at, entry=entry))
    _mark(session, one, CredentialState.HELD, since, HOLD)


def _mark(session: Session, one: Credential | None, state: CredentialState, at: datetime, word: str) -> None:
    if one is not None:
        one.state, one.revoked_at, one.revocation_reason = state.value, at, word
        session.add(one)
    session.flush()
