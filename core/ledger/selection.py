"""Which records a purge may take, and why the others stay: the rule of ``retention.py`` over the store's records."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.ledger import hold
from core.ledger.errors import Kept
from core.ledger.models import EvidenceHold, EvidenceRow
from core.ledger.publication import published_size
from core.ledger.register import Register
from core.ledger.retention import Dated, Keeps, Retention, is_about_certification, keeps, released, serials
from core.ledger.stub import numbers_in, ranges_of
from core.ledger.tiles import WIDTH

#: Records read at once.
_BATCH = 2_000

#: Most ranges that one purge's record can name within an entry's 65,535 octets.
MOST_RANGES = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be purged: records made before a time, of one domain and about one object where those are given."""

    before: datetime
    domain: str = ""
    object: str = ""


@dataclass
class Selection:
    """``ranges`` may go, ``types`` counts them by type, ``stays`` counts the others by reason."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    stays: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many records may go."""
        return sum(last - first + 1 for first, last in self.ranges)


@dataclass(frozen=True)
class Rule:
    """The rule at one moment, with what it needs to know of the world."""

    retention: Retention
    now: datetime
    levels: Mapping[str, int]
    expiries: Mapping[str, datetime]
    holds: Sequence[EvidenceHold]
    #: Records below this number are under a published checkpoint and in a full bundle in log and mirror.
    settled: int

    def keeps(self, row: EvidenceRow) -> Keeps | None:
        """Return why a record stays, or nothing."""
        named = _serials(row)
        return keeps(self._dated(row, named), self.retention, self.now)

    def _dated(self, row: EvidenceRow, named: set[str]) -> Dated:
        certification = is_about_certification(row.type)
        ends = [self.expiries[serial] for serial in named if serial in self.expiries]
        if certification and not named:
            # A refused request or a list: no certificate of its own, so the five years run from the record.
            ends = [row.at]
        subject = hold.Subject(row.sequence or 0, row.actor, row.object, row.domain, frozenset(named))
        return Dated(
            type=row.type,
            at=row.at,
            level=self.levels.get(row.domain),
            lapses=max(ends, default=None),
            unknown=certification and not ends,
            held=hold.holding(self.holds, subject) is not None,
            published=row.sequence is not None and row.sequence < self.settled,
        )


def rule(session: Session, register: Register, retention: Retention, now: datetime) -> Rule:
    """Return the rule as it is at ``now``."""
    # The last, incomplete bundle is still in the sequencer's memory: what is in it stays until it is full.
    settled = published_size(session) // WIDTH * WIDTH
    return Rule(
        retention, now, register.levels(session), register.expiries(session), hold.active(session, now), settled
    )


def select_records(session: Session, asked: Asked, by: Rule) -> Selection:
    """Return what may go. Raises ``Kept``, with the clause, when what was asked for may not be asked for at all."""
    check_asked(asked, by)
    found = Selection()
    numbers = []
    for row in _rows(session, asked):
        if asked.object and not _is_about(row, asked.object):
            continue
        why = by.keeps(row)
        if why is not None:
            found.stays[why.value] += 1
            continue
        found.types[row.type] += 1
        numbers.append(row.sequence or 0)
    found.ranges = ranges_of(numbers)
    return found


def still(session: Session, named: Sequence[tuple[int, int]], by: Rule) -> Selection:
    """Return what of ``named`` may still go: since it was named a hold may have been placed."""
    found = Selection()
    numbers = []
    for number in numbers_in(named):
        row = session.exec(select(EvidenceRow).where(EvidenceRow.sequence == number)).one_or_none()
        why = Keeps.NEEDED if row is None or row.leaf is not None else by.keeps(row)
        if row is None or why is not None:
            found.stays[str(why)] += 1
            continue
        found.types[row.type] += 1
        numbers.append(number)
    found.ranges = ranges_of(numbers)
    return found


def check_asked(asked: Asked, by: Rule) -> None:
    """Raise ``Kept`` for a time within the law's minimum, or for a certificate that has not lapsed long enough."""
    numbers, youngest = by.retention, by.retention.youngest(by.now)
    if asked.before > youngest:
        raise Kept(
            f"evidence younger than {numbers.minimum_days} days is not purged: {numbers.minimum_source} "
            f"(不满{numbers.minimum_days}日的日志不得清除)",
            hint=f"the latest --before is {youngest:%Y-%m-%dT%H:%M:%SZ}",
            reason="retention",
        )
    kind, _, serial = asked.object.partition(":")
    if kind != "certificate":
        return
    expiry = by.expiries.get(serial)
    if expiry is None or by.now < released(expiry, numbers):
        ends = "its expiry is unknown" if expiry is None else f"it expires at {expiry:%Y-%m-%d}"
        years = numbers.certificate_years
        raise Kept(
            f"records of a certificate are kept for {years} years after it lapses, and {ends}: "
            f"{numbers.certificate_source} (认证信息应当保存至证书失效后{years}年)",
            hint="nothing was purged; see `guosuo cert show`" if expiry else "nothing was purged",
            reason="certificate-retention",
        )


def _rows(session: Session, asked: Asked) -> Iterator[EvidenceRow]:
    statement: SelectOfScalar[EvidenceRow] = select(EvidenceRow).where(
        EvidenceRow.at < asked.before, col(EvidenceRow.sequence).is_not(None), col(EvidenceRow.leaf).is_(None)
    )
    if asked.domain:
        statement = statement.where(EvidenceRow.domain == asked.domain)
    rows = session.exec(statement.order_by(col(EvidenceRow.sequence)), execution_options={"yield_per": _BATCH})
    with closing(rows):
        for row in rows:
            yield row
            session.expunge(row)


def _serials(row: EvidenceRow) -> set[str]:
    # Most records name none: look before parsing.
    if b'"serial' not in row.content and not row.object.startswith("certificate:"):
        return set()
    return serials(row.object, json.loads(row.content)["details"])


def _is_about(row: EvidenceRow, wanted: str) -> bool:
    kind, _, serial = wanted.partition(":")
    return row.object == wanted or (kind == "certificate" and serial in _serials(row))
