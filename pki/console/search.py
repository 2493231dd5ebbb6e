"""Find requests and certificates by what a person remembers of them, a page at a time; read, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlmodel import Session, col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from core.registry.credential import Credential
from pki.models import DeskRequest

#: Rows of one page, and the last page that is counted to: whoever needs more says more of what is looked for.
SIZE, LAST = 25, 400

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """One page of ``total`` rows (``LAST`` pages and one row at most are counted); ``number`` begins with 1."""

    rows: Sequence[Row]
    number: int
    total: int

    @property
    def first(self) -> int:
        """Return the place of the first row."""
        return (self.number - 1) * SIZE + 1

    @property
    def last(self) -> int:
        """Return the place of the last row."""
        return self.first + len(self.rows) - 1

    @property
    def counted(self) -> str:
        """Return how many there are, or that there are more than anybody pages through."""
        return str(self.total) if self.total <= SIZE * LAST else f"{SIZE * LAST}+"

    @property
    def more(self) -> bool:
        """Say whether there is a page after this."""
        return self.last < self.total and self.number < LAST


def typed(text: str) -> str:
    """Return what somebody looks for, as every store takes it: nothing holds a character that is not printed."""
    return "".join(one for one in text if one.isprintable()).strip()


def requests(session: Session, *, state: str, text: str, number: int) -> Found[DeskRequest]:
    """Return requests, newest first, in one state or in all, that hold ``text``."""
    wanted = select(DeskRequest)
    if state:
        wanted = wanted.where(DeskRequest.state == state)
    places = (DeskRequest.id, DeskRequest.holder, DeskRequest.requester, DeskRequest.domain, DeskRequest.profile)
    if text:
        wanted = wanted.where(or_(*(col(one).contains(text, autoescape=True) for one in places)))
    ordered = wanted.order_by(col(DeskRequest.filed_at).desc(), col(DeskRequest.id).desc())
    return _page(session, wanted, ordered, number)


def certificates(session: Session, *, state: str, text: str, number: int) -> Found[Credential]:
    """Return certificates, newest first, in one state or in all, whose holder, domain or serial number has ``text``."""
    wanted = select(Credential)
    if state:
        wanted = wanted.where(Credential.state == state)
    if text:
        places = (Credential.holder, Credential.domain, Credential.profile)
        held = [col(one).contains(text, autoescape=True) for one in places]
        wanted = wanted.where(or_(col(Credential.serial).startswith(text.lower(), autoescape=True), *held))
    # The index of the catalogue, backwards.
    ordered = wanted.order_by(col(Credential.not_before).desc(), col(Credential.serial).desc())
    return _page(session, wanted, ordered, number)


def _page(session: Session, wanted: SelectOfScalar[Row], ordered: SelectOfScalar[Row], number: int) -> Found[Row]:
    total = session.exec(select(func.count()).select_from(wanted.limit(SIZE * LAST + 1).subquery())).one()
    # Beyond the end is the last page: what was there may have been decided on meanwhile.
    number = max(1, min(number, LAST, -(-total // SIZE)))
    rows = session.exec(ordered.offset((number - 1) * SIZE).limit(SIZE)).all()
    return Found(rows, number, total)
