"""Find the records that are about a thing or name it, in the index and in the few that are not indexed yet."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from core.ledger import reference
from core.ledger.models import EvidenceReference, EvidenceRow

#: Most records that are looked through because the index has not come so far.
MOST_BEHIND = 5_000

#: No record has this number: the largest that every store's integer column takes.
_LARGEST = 2**31 - 1


class Lookup:
    """The records up to a time, by what they speak of."""

    def __init__(self, session: Session, until: datetime) -> None:
        """Read what is not indexed yet."""
        self._session = session
        self._until = until
        last = reference.indexed(session)
        behind = select(EvidenceRow).where(col(EvidenceRow.sequence) > last)
        rows = list(session.exec(behind.order_by(col(EvidenceRow.sequence)).limit(MOST_BEHIND + 1)))
        self._missed = len(rows) > MOST_BEHIND
        self._fresh = [(row, reference.references_of(row)) for row in rows[:MOST_BEHIND]]

    def behind(self) -> list[str]:
        """Say when the index is too far behind to be complete."""
        return ["the index is behind by thousands of records: ask again in a minute"] if self._missed else []

    def about(self, name: str, most: int) -> tuple[Sequence[EvidenceRow], int]:
        """Return the newest ``most`` records that are about ``name``, oldest first, and how many more there are."""
        kind, _, value = name.partition(":")
        if kind == "record" and value.isdecimal() and len(value) < 16:
            number = min(int(value), _LARGEST)
            return self._session.exec(select(EvidenceRow).where(EvidenceRow.sequence == number)).all(), 0
        # No record is about a hash or a request: what names them counts.
        return self._with([name] if kind in ("sha256", "request") else [f"{reference.OF}{name}"], most)

    def naming(self, name: str, most: int) -> tuple[Sequence[EvidenceRow], int]:
        """Return the newest ``most`` records that name ``name`` or were made by it, oldest first, and how many more."""
        return self._with([name, f"{reference.BY}{name}"], most)

    def rows(self, numbers: Sequence[int | None]) -> Sequence[EvidenceRow]:
        """Return records by their numbers, in the order of the numbers."""
        found = select(EvidenceRow).where(col(EvidenceRow.sequence).in_([one for one in numbers if one is not None]))
        return self._session.exec(found.order_by(col(EvidenceRow.sequence))).all()

    def _with(self, values: Sequence[str], most: int) -> tuple[Sequence[EvidenceRow], int]:
        matching = (
            select(EvidenceReference.sequence)
            .where(col(EvidenceReference.value).in_(values))
            .join(EvidenceRow, col(EvidenceRow.sequence) == col(EvidenceReference.sequence))
            .where(EvidenceRow.at <= self._until)
        )
        numbers = self._session.exec(
            matching.distinct().order_by(col(EvidenceReference.sequence).desc()).limit(most)
        ).all()
        more = 0
        if len(numbers) == most:
            counted = select(func.count()).select_from(matching.distinct().subquery())
            more = self._session.exec(counted).one() - most
        fresh = [row for row, said in self._fresh if row.at <= self._until and said.intersection(values)]
        rows = [*self.rows(numbers), *fresh]
        return rows[-most:], more + max(0, len(rows) - most)
