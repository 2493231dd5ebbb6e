"""Have checkpoints time-stamped: every so often a token over the newest one, verified before it is kept.

Kept in the store and shown beside the checkpoint, in the log's folder and in its mirror, as ``ts/SIZE.tsr``: the answer
as it came, which ``openssl ts -verify`` reads.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.ledger import published, timestamp
from core.ledger.beside import Beside
from core.ledger.errors import BadTimestamp, WitnessFailed
from core.ledger.models import TimestampToken
from core.ledger.outward import Poster
from core.ledger.publication import published_size
from core.ledger.storage import DurableWriter, Writer

#: How far an authority's clock may be from ours.
SKEW = timedelta(minutes=10)


class Timestamping:
    """Asks, verifies, keeps and shows."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        directory: Path,
        mirror: Path | None,
        urls: Sequence[str],
        roots: Sequence[x509.Certificate],
        every: timedelta,
        poster: Poster,
        writer: Writer | None = None,
    ) -> None:
        """Prepare; the log is in ``directory``, and of the ``urls`` the first that answers well is enough."""
        self._database = database
        self._clock = clock
        self._directory = directory
        folders = [directory] if mirror is None else [directory, mirror]
        self._beside = Beside(folders, published.STAMPED, writer or DurableWriter())
        self._urls = urls
        self._roots = roots
        self._every = every
        self._poster = poster

    def run(self, *, force: bool = False) -> None:
        """Have the newest checkpoint stamped when the last token is old enough (or now, with ``force``).

        Raises ``WitnessFailed`` when no authority gave a token that verifies, ``StorageFailed``.
        """
        if self._urls and (size := self._due(force=force)):
            self._obtain(size)
        self._show()

    def _due(self, *, force: bool) -> int:
        with self._database.read() as session:
            size = published_size(session)
            newest = session.exec(select(TimestampToken).order_by(col(TimestampToken.size).desc()).limit(1)).first()
        if newest is None:
            return size
        recent = newest.obtained_at + self._every > self._clock.now()
        return 0 if newest.size == size or (recent and not force) else size

    def _obtain(self, size: int) -> None:
        note = published.signed(self._directory, size)
        faults = []
        for url in self._urls:
            try:
                token, stamp = self._stamped(url, note)
            except TrustError as error:
                faults.append(f"`{url}`: {error.detail}")
                continue
            with suppress(IntegrityError), self._database.write() as session:
                # When two runs obtained one each, the first that was kept stays.
                _keep(session, size, url, token, stamp, at=self._clock.now())
            # A crash here leaves a token in the store that no file shows: the next run shows it.
            return
        raise WitnessFailed("; ".join(faults), hint="see `guosuo evidence timestamp list`")

    def _stamped(self, url: str, note: bytes) -> tuple[bytes, timestamp.Stamp]:
        question = timestamp.ask(note)
        answer = self._poster.post(url, question.as_bytes(), kind=timestamp.QUERY, largest=timestamp.LARGEST_ANSWER)
        if answer.status != 200 or answer.kind != timestamp.REPLY:
            raise BadTimestamp(f"it answered {answer.status} `{answer.kind[:60]}` and no token")
        stamp = timestamp.verify_answer(answer.body, note=note, roots=self._roots, nonce=question.nonce)
        if abs(stamp.at - self._clock.now()) > SKEW:
            raise BadTimestamp(f"its token is of {stamp.at}: one of the two clocks is wrong")
        return answer.body, stamp

    def _show(self) -> None:
        """Write what is kept and not yet shown beside the checkpoints."""
        with self._database.read() as session:
            waiting = session.exec(select(TimestampToken).where(col(TimestampToken.shown_at).is_(None))).all()
        for row in waiting:
            with self._beside.held():
                for folder in self._beside.folders:
                    self._beside.write(folder, f"{published.STAMPED}/{row.size}.tsr", row.token)
            # A crash here leaves the token shown, but not said so: the next run finds the same files and says it.
            with self._database.write() as session:
                shown = session.get_one(TimestampToken, row.size)
                shown.shown_at = self._clock.now()
                session.add(shown)


def tokens(session: Session, most: int = 100) -> list[TimestampToken]:
    """Return the newest tokens."""
    return list(session.exec(select(TimestampToken).order_by(col(TimestampToken.size).desc()).limit(most)))


def _keep(session: Session, size: int, url: str, token: bytes, stamp: timestamp.Stamp, *, at: datetime) -> None:
    if session.get(TimestampToken, size) is None:
        row = TimestampToken(size=size, authority=url[:200], token=token, at=stamp.at, obtained_at=at)
        session.add(row)
