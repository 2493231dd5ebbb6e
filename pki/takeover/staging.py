"""A plan comes in, in parts, is judged as it comes, and is sealed when it is whole: from then on nobody changes it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from sqlmodel import Session, col, delete, func, insert, select

from core.errors import Conflict
from core.identity import DomainId
from core.ledger import evidence
from core.registry import domain
from pki import plan, planning, profileset
from pki.models import Authority
from pki.takeover import authority, events, material
from pki.takeover.authority import OldAuthority
from pki.takeover.errors import BlockedPlan, StalePlan, TakeoverOver, UnfitAuthority, UnknownTakeover
from pki.takeover.judgement import BLOCKED, Judge, Verdict
from pki.takeover.mapping import FOREIGN
from pki.takeover.material import Header, Item
from pki.takeover.models import Takeover, TakeoverItem, TakeoverPlan


def check(session: Session, header: Header, now: datetime) -> OldAuthority:
    """Return the authority when it can be taken over, or brought up to date.

    Raises ``UnfitAuthority``, ``Conflict``, ``NotFound`` for a domain, ``TakeoverOver``, ``StalePlan`` for numbers that
    went back.
    """
    old = authority.read(header.der, now)
    known = session.get(Takeover, header.authority)
    if known is None:
        _check_new(session, header, old)
        return old
    if known.state != "parallel":
        raise TakeoverOver(f"`{known.authority}` is ours alone since {known.finished_at:%Y-%m-%d}")
    if (known.key, known.certificate_sha256, json.loads(known.domains)) != (
        header.key,
        material.sha256(old.der),
        sorted(header.domains),
    ):
        raise Conflict(f"`{known.authority}` was taken over with another certificate, key or other domains")
    if header.number < known.number:
        raise StalePlan(f"its lists had the number {known.number} already, not {header.number}")
    return old


def _check_new(session: Session, header: Header, old: OldAuthority) -> None:
    plans = plan.every(session)
    if any(one.line == header.authority for one in plans):
        raise Conflict(f"there is an authority `{header.authority}` already")
    if len(plans) >= planning.MOST:
        raise Conflict(f"an installation has {planning.MOST} authorities at most")
    if len(set(header.domains)) != len(header.domains):
        raise Conflict("a domain is named twice")
    for one in header.domains:
        domain.get(session, DomainId(one))
        taken = next((other for other in plans if one in other.domains), None)
        if taken is not None:
            raise Conflict(f"the domain `{one}` has an authority already: `{taken.line}`")
    for row in session.exec(select(Authority)):
        certificate = x509.load_der_x509_certificate(row.der)
        if certificate.subject == old.certificate.subject or row.serial == old.serial or row.key == header.key:
            raise UnfitAuthority(f"its name, its serial number or its key's label is that of `{row.name}`")


def judge(session: Session, header: Header, items: Sequence[Item], now: datetime) -> list[Verdict]:
    """Return what would become of some items. Raises as ``check`` does."""
    judging = Judge(session, check(session, header, now), header.authority, now)
    ours = {FOREIGN, *(one.name for one in profileset.active(session).listed)}
    unknown = Verdict(BLOCKED, "the mapping names a profile that is none of ours")
    return [judging.judge(one) if one.profile in ours else unknown for one in items]


def stage(  # noqa: PLR0917  # a part, where it belongs, and who brings it
    session: Session, digest: str, header: Header, first: int, items: Sequence[Item], now: datetime, actor: str
) -> TakeoverPlan:
    """Keep a part of a plan; the same part again replaces it, and one of a plan that is sealed changes nothing."""
    row = session.get(TakeoverPlan, digest, with_for_update=True)
    if row is None:
        row = TakeoverPlan(
            digest=digest,
            authority=header.authority,
            header=header.model_dump_json(),
            total=header.total,
            actor=actor,
            at=now,
        )
        session.add(row)
        session.flush()
        evidence.append(session, events.staged(row), at=now)
    if row.state != "staged":
        return row
    if row.header != header.model_dump_json() or first + len(items) > header.total:
        raise Conflict("this part is not one of that plan")
    verdicts = judge(session, header, items, now)
    places = range(first, first + len(items))
    of = col(TakeoverItem.plan) == digest, col(TakeoverItem.position).in_(places)
    session.connection().execute(delete(TakeoverItem).where(*of))
    rows = [
        {"plan": digest, "position": at, "content": it.model_dump_json(), "verdict": one.word, "why": one.why[:200]}
        for at, it, one in zip(places, items, verdicts, strict=True)
    ]
    if rows:
        session.connection().execute(insert(TakeoverItem), rows)
    row.parts += 1
    session.add(row)
    session.flush()
    return row


def check_whole(session: Session, digest: str) -> int:
    """Read a whole plan, which takes long; return how many parts had come in.

    Raises ``UnknownTakeover``, ``StalePlan``, ``BlockedPlan``.
    """
    row = find(session, digest)
    if row.state != "staged":
        return row.parts
    found = counts(session, digest)
    if found.total() != row.total:
        raise StalePlan(f"{found.total()} of {row.total} items came in", hint="bring the plan again")
    if material.digest_of(header_of(row), _items(session, digest)) != digest:
        raise StalePlan("what would come over is no longer what the plan showed", hint="look at a new plan")
    check_free(session, digest)
    return row.parts


def seal(session: Session, digest: str, parts: int) -> TakeoverPlan:
    """Close a plan that was whole when so many parts had come in. Raises ``UnknownTakeover``, ``StalePlan``."""
    row = get(session, digest)
    if row.state != "staged":
        return row
    if row.parts != parts:
        raise StalePlan("a part came in while the plan was read", hint="seal it again")
    row.state = "sealed"
    session.add(row)
    session.flush()
    return row


def check_free(session: Session, digest: str) -> None:
    """Raise ``BlockedPlan`` when something that must be on the lists cannot be there."""
    of = select(TakeoverItem).where(TakeoverItem.plan == digest, TakeoverItem.verdict == BLOCKED)
    blocked = session.exec(of.order_by(col(TakeoverItem.position)).limit(1)).first()
    if blocked is not None:
        item = Item.model_validate_json(blocked.content)
        raise BlockedPlan(
            f"{item.place}: {item.serial}: {blocked.why}", hint="see the plan with `guosuo takeover plan`"
        )


def get(session: Session, digest: str) -> TakeoverPlan:
    """Return a plan, locked. Raises ``UnknownTakeover``."""
    session.get(TakeoverPlan, digest, with_for_update=True, populate_existing=True)
    return find(session, digest)


def find(session: Session, digest: str) -> TakeoverPlan:
    """Return a plan. Raises ``UnknownTakeover``."""
    row = session.get(TakeoverPlan, digest)
    if row is None:
        raise UnknownTakeover(f"no plan has the digest `{digest[:64]}`", hint="make one with `guosuo takeover plan`")
    return row


def header_of(row: TakeoverPlan) -> Header:
    """Return a plan's header."""
    return Header.model_validate_json(row.header)


def counts(session: Session, digest: str) -> Counter[str]:
    """Count the items that are there, by verdict."""
    statement = select(TakeoverItem.verdict, func.count()).where(TakeoverItem.plan == digest)
    return Counter(dict(session.exec(statement.group_by(TakeoverItem.verdict)).all()))


def _items(session: Session, digest: str) -> Iterator[tuple[Item, str]]:
    statement = select(TakeoverItem.content, TakeoverItem.verdict).where(TakeoverItem.plan == digest)
    for content, verdict in session.exec(statement.order_by(col(TakeoverItem.position))):
        yield Item.model_validate_json(content), verdict
