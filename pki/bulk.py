"""Revoke many: chosen by list, key, department, domain or profile; ordered once, carried out in small transactions.

A plan is kept for a while, and what is planned is named by its own digest: so an order is short however many it names,
ordering the same again is no news, and a crash between two transactions leaves an order that goes on. Above ``ALONE``
certificates two people are needed (``bulk_act.py``).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, insert, or_, select

from core.database import within
from core.errors import Conflict, Malformed
from core.identity import Serial, SubjectKind
from core.ledger import evidence
from core.registry.credential import Credential, CredentialState
from core.registry.models import Device, Person, System
from core.signed import Json
from pki import events, reason, revocation
from pki.errors import AlreadyRevoked, NothingChosen
from pki.models import BulkRevocation, BulkRevocationItem

#: How many one person may revoke at once, how many an order may name, and how many one transaction revokes.
ALONE, MOST, TOGETHER = 20, 100_000, 100

#: The state of an order that nobody has given yet.
PLANNED = "planned"

#: How long a plan is kept: two people have agreed on it by then, or it is planned anew.
KEPT = timedelta(days=7)

_TEXTS = ("key", "department", "domain", "profile")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which certificates: all that is given must hold. ``serials`` come as they were given; ``key`` is an SPKI hash."""

    serials: tuple[Serial, ...] = ()
    key: str = ""
    department: str = ""
    domain: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an order would do: the serial numbers that are left to be revoked, and its digest."""

    serials: tuple[Serial, ...]
    digest: str
    told: tuple[str, ...]


def parse(body: Mapping[str, Json]) -> tuple[Choice, str]:
    """Read a choice and a reason. Raises ``Malformed``, ``UnknownReason``."""
    if unknown := sorted(set(body) - {*_TEXTS, "serials", "reason"}):
        raise Malformed(f"`{unknown[0][:40]}` chooses nothing", hint=f"one of serials, {', '.join(_TEXTS)}")
    texts = {name: body.get(name, "") for name in (*_TEXTS, "reason")}
    for name, value in texts.items():
        if not isinstance(value, str) or len(value) > 80 or "\0" in value:
            raise Malformed(f"`{name}` is a text of at most 80 characters")
    word = str(texts.pop("reason") or "unspecified")
    reason.code(word)
    listed = body.get("serials")
    serials = () if listed is None else _serials(listed)
    choice = Choice(serials=serials, **{name: str(value) for name, value in texts.items()})
    if choice == Choice():
        raise Malformed("nothing says which certificates", hint=f"give serials, {', '.join(_TEXTS)}")
    return choice, word


def _serials(value: Json) -> tuple[Serial, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MOST:
        raise Malformed(f"`serials` is a list of at most {MOST} serial numbers")
    if not value:
        # Taken for no list at all, it would choose everything that the rest of the choice allows.
        raise Malformed("`serials` names no certificate", hint="leave it out to choose by the rest alone")
    for one in value:
        if not isinstance(one, str) or not re.fullmatch(r"[0-9a-fA-F]{40}", one):
            raise Malformed(f"`{str(one)[:60]}` is no serial number: 40 hexadecimal digits")
    return tuple(dict.fromkeys(Serial(str(one).lower()) for one in value))


def plan(session: Session, choice: Choice, word: str, at: datetime) -> Plan:
    """Say what revoking would do. Raises ``Conflict`` when too many are chosen, ``NothingChosen`` when none is left."""
    rows = _chosen(session, choice, at)
    left = [row for row in rows if row.state != CredentialState.REVOKED.value]
    if len(left) > MOST:
        raise Conflict(f"{len(left)} certificates are chosen, more than {MOST}", hint="choose in parts")
    if not left:
        raise NothingChosen("no certificate is chosen that is not revoked already", hint="see `guosuo cert list`")
    serials = tuple(sorted(Serial(row.serial) for row in left))
    digest = hashlib.sha256("\n".join((word, *serials)).encode("ascii")).hexdigest()
    known = {Serial(row.serial) for row in rows}
    return Plan(serials, digest, tuple(_told(left, len(rows) - len(left), set(choice.serials) - known)))


def _chosen(session: Session, choice: Choice, at: datetime) -> list[Credential]:
    if choice.serials:
        found: list[Credential] = []
        for start in range(0, len(choice.serials), 500):
            part = choice.serials[start : start + 500]
            found += session.exec(select(Credential).where(col(Credential.serial).in_(part), *_where(choice)))
        return found
    return list(session.exec(select(Credential).where(*_where(choice), Credential.not_after >= at)))


def _where(choice: Choice) -> list[bool]:
    conditions = [
        getattr(Credential, column) == value
        for column, value in (
            ("spki_sha256", choice.key.lower()),
            ("domain", choice.domain),
            ("profile", choice.profile),
        )
        if value
    ]
    if choice.department:
        people = select(Person.id).where(Person.organisation == choice.department)
        devices = select(Device.id).where(Device.system == System.id, System.organisation == choice.department)
        is_person = col(Credential.holder_kind) == SubjectKind.PERSON.value
        of_people = is_person & col(Credential.holder).in_(people)
        of_devices = ~is_person & col(Credential.holder).in_(devices)
        conditions.append(or_(of_people, of_devices))
    return conditions


def _told(left: Sequence[Credential], before: int, unknown: set[Serial]) -> list[str]:
    """Say it in sentences: what ends, whose, and what was asked for and is not there."""
    profiles = ", ".join(f"{count} × {name}" for name, count in Counter(row.profile for row in left).most_common())
    holders = {(row.holder_kind, row.holder) for row in left}
    told = [
        f"{len(left)} certificates of {len(holders)} holders are revoked for ever: {profiles}",
        "whoever holds no other good certificate is refused everywhere from then on",
    ]
    told += [f"{before} that were chosen are revoked already and stay as they are"] if before else []
    told += [f"{len(unknown)} of the serial numbers are in no record, such as {min(unknown)}"] if unknown else []
    return told


def keep(session: Session, planned: Plan, word: str, *, actor: str, at: datetime) -> None:
    """Keep a plan under its digest until ``KEPT`` is over; plans that nobody ordered in that time go."""
    _forget(session, at - KEPT)
    known = session.get(BulkRevocation, planned.digest, with_for_update=True)
    if known is not None:
        if known.state == PLANNED:
            known.at = at
            session.add(known)
        return
    try:
        with within(session) as part:
            made = BulkRevocation(
                id=planned.digest, reason=word, actor=actor, at=at, total=len(planned.serials), state=PLANNED
            )
            part.add(made)
            part.flush()
            rows = [{"order": made.id, "serial": serial} for serial in planned.serials]
            part.connection().execute(insert(BulkRevocationItem), rows)
    except IntegrityError:
        # Somebody else planned the same at the same moment: the digest says that it is the same.
        return


def kept(session: Session, digest: str, word: str, at: datetime) -> Plan:
    """Return a kept plan, as the register is now. Raises ``Conflict`` when it is no longer what was shown."""
    made = session.get(BulkRevocation, digest)
    if made is None or (made.state == PLANNED and made.at <= at - KEPT):
        raise Conflict("no plan that is kept has this digest", hint="look at a new plan")
    items = select(BulkRevocationItem.serial).where(BulkRevocationItem.order == digest)
    serials = tuple(Serial(one) for one in session.exec(items))
    planned = plan(session, Choice(serials=serials), word, at) if serials else None
    if planned is None or planned.digest != digest:
        raise Conflict("what is chosen is no longer what the plan showed", hint="look at a new plan")
    return planned


def order(session: Session, planned: Plan, word: str, *, actor: str, at: datetime) -> BulkRevocation:
    """Order what was planned; the same order again is the one that there is."""
    keep(session, planned, word, actor=actor, at=at)
    made = session.get_one(BulkRevocation, planned.digest, with_for_update=True, populate_existing=True)
    if made.state == PLANNED:
        made.state, made.actor, made.at = "open", actor, at
        session.add(made)
        session.flush()
        evidence.append(session, events.ordered(made), at=at)
    return made


def _forget(session: Session, before: datetime) -> None:
    lapsed = select(BulkRevocation.id).where(BulkRevocation.state == PLANNED, BulkRevocation.at <= before)
    for identifier in session.exec(lapsed.with_for_update()).all():
        session.connection().execute(delete(BulkRevocationItem).where(col(BulkRevocationItem.order) == identifier))
        session.connection().execute(delete(BulkRevocation).where(col(BulkRevocation.id) == identifier))


def step(session: Session, identifier: str, at: datetime, *, most: int = TOGETHER) -> BulkRevocation:
    """Revoke the next ``most`` of an order, in the caller's transaction; return how it stands."""
    made = session.get_one(BulkRevocation, identifier, with_for_update=True, populate_existing=True)
    items = select(BulkRevocationItem.serial).where(BulkRevocationItem.order == identifier)
    serials = list(session.exec(items.order_by(BulkRevocationItem.serial).limit(most)))
    for serial in serials:
        try:
            revocation.revoke(session, Serial(serial), reason=made.reason, actor=made.actor, at=at)
        except AlreadyRevoked:
            made.skipped += 1
    done = col(BulkRevocationItem.order) == identifier, col(BulkRevocationItem.serial).in_(serials)
    session.connection().execute(delete(BulkRevocationItem).where(*done))
    made.done += len(serials)
    if made.done >= made.total and made.state == "open":
        made.state = "done"
        evidence.append(session, events.carried_out(made), at=at)
    session.add(made)
    session.flush()
    return made


def open_orders(session: Session) -> list[str]:
    """Return the orders that are not carried out yet, the oldest first."""
    statement = select(BulkRevocation.id).where(BulkRevocation.state == "open")
    return list(session.exec(statement.order_by(col(BulkRevocation.at))))
