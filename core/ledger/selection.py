"""Which records a purge may take, and why the others stay: the rule of ``retention.py`` over the store's records."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.ledger import hold
from core.ledger.errors import Kept
from core.ledger.models import EvidenceHold, EvidenceRow
from core.ledger.publication import published_size
from core.ledger.reference import named_in
from core.ledger.register import Register
from core.ledger.retention import Dated, Keeps, Retention, is_about_certification, keeps, released, serials
from core.ledger.stub import ranges_of
from core.ledger.tiles import WIDTH
from core.rule import CERTIFICATION, RETENTION

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
    #: No record from this number on, so that what was approved is what was shown (nothing: as many as may go).
    through: int | None = None


@dataclass
class Selection:
    """``ranges`` may go, ``types`` counts them by type, ``stays`` counts the others by reason."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    stays: Counter[str] = field(default_factory=Counter)

    #: The first number that was not looked at.
    through: int = 0

    @property
    def digest(self) -> str:
        """Return a SHA-256 over the numbers, in hexadecimal."""
        return sha256(json.dumps(self.ranges, separators=(",", ":")).encode()).hexdigest()

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

    def decides_like(self, other: "Rule") -> bool:
        """Say whether both decide the same of every record that was settled for both."""
        return self._known() == other._known()

    def keeps(self, row: EvidenceRow) -> Keeps | None:
        """Return why a record stays, or nothing."""
        return keeps(self._dated(row), self.retention, self.now)

    def keeps_body(self, row: EvidenceRow) -> Keeps | None:
        """Return why the body of a record stays; that the log needs the record itself is no reason."""
        return keeps(replace(self._dated(row), type="", published=True), self.retention, self.now)

    def _known(self) -> tuple[object, ...]:
        held = [(one.id, one.kind, one.value) for one in self.holds]
        return self.retention, self.now, dict(self.levels), dict(self.expiries), held

    def _dated(self, row: EvidenceRow) -> Dated:
        named = _serials(row)
        certification = is_about_certification(row.type)
        ends = [self.expiries[serial] for serial in named if serial in self.expiries]
        if certification and not named:
            # A refused request or a list: no certificate of its own, so the five years run from the record.
            ends = [row.at]
        return Dated(
            type=row.type,
            at=row.at,
            level=self.levels.get(row.domain),
            lapses=max(ends, default=None),
            unknown=certification and not ends,
            held=is_held(row, self.holds),
            published=row.sequence is not None and row.sequence < self.settled,
        )


def rule(session: Session, register: Register, retention: Retention, now: datetime) -> Rule:
    """Return the rule as it is at ``now``."""
    # The last, incomplete bundle is still in the sequencer's memory: what is in it stays until it is full.
    settled = published_size(session) // WIDTH * WIDTH
    return Rule(
        retention, now, register.levels(session), register.expiries(session, now), hold.active(session, now), settled
    )


def select_records(session: Session, asked: Asked, by: Rule) -> Selection:
    """Return what may go. Raises ``Kept``, with the clause, when what was asked for may not be asked for at all."""
    check_asked(asked, by)
    limit = by.settled if asked.through is None else min(asked.through, by.settled)
    found = Selection(through=limit)
    numbers: list[int] = []
    spans = 0
    for row in _rows(session, asked):
        if asked.object and not _is_about(row, asked.object):
            continue
        number = row.sequence or 0
        why = by.keeps(row) or (Keeps.UNPUBLISHED if number >= limit else None)
        if why is None and not (numbers and numbers[-1] == number - 1):
            spans += 1
            why = Keeps.NEXT_TIME if spans > MOST_RANGES else None
        if why is not None:
            found.stays[why.value] += 1
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
            f"evidence younger than {numbers.minimum_days} days is not purged (不满此日数的记录不得清除)",
            hint=f"the latest time that may be given is {youngest:%Y-%m-%dT%H:%M:%SZ}",
            reason="retention",
            rule=str(RETENTION),
            about="log:records",
        )
    kind, _, serial = asked.object.partition(":")
    if kind != "certificate":
        return
    expiry = by.expiries.get(serial)
    if expiry is None or by.now < released(expiry, numbers):
        ends = "when it lapses is unknown" if expiry is None else f"it lapses at {expiry:%Y-%m-%d}"
        years = numbers.certificate_years
        raise Kept(
            f"records of a certificate stay for {years} years after it lapses, and {ends} (保存至证书失效后{years}年)",
            hint="nothing was purged",
            reason="certificate-retention",
            rule=str(CERTIFICATION),
            about=asked.object,
        )


def is_held(row: EvidenceRow, holds: Sequence[EvidenceHold]) -> bool:
    """Say whether one of ``holds`` names a record."""
    if not holds:
        return False
    # Details are parsed only while a hold asks for what they name.
    asks = any(one.kind == hold.Kind.OBJECT for one in holds)
    named = frozenset(named_in(json.loads(row.content)["details"]) if asks else ())
    subject = hold.Subject(row.sequence or 0, row.actor, row.object, row.domain, frozenset(_serials(row)), named)
    return hold.holding(holds, subject) is not None


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
