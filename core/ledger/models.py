"""Tables of the evidence: records are only ever inserted, and numbered once by the sequencer; what was signed stays."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


def _found_by(column: str) -> Index:
    """Return an index over numbered records alone: appending need not wait for it, numbering pays for it later."""
    numbered = text("sequence IS NOT NULL")
    return Index(f"ix_evidence_{column}", column, sqlite_where=numbered, postgresql_where=numbered)


class EvidenceRow(SQLModel, table=True):
    """One record. ``content`` holds its canonical bytes; ``sequence`` its index in the tree, empty until numbered.

    ``leaf`` is the leaf hash in hexadecimal once the record was purged: then ``content`` is a stub (``stub.py``).

    Whoever looks for records by ``at``, ``type``, ``actor`` or ``object`` must ask for numbered ones
    (``sequence IS NOT NULL``), or no index is used; those few that still wait are found by ``sequence IS NULL``.
    """

    __tablename__ = "evidence"
    __table_args__ = tuple(_found_by(column) for column in ("at", "type", "actor", "object"))

    row: int | None = Field(default=None, primary_key=True)
    identifier: str = Field(unique=True, max_length=32)
    at: datetime = Field(sa_type=UtcDateTime)
    type: str = Field(max_length=80)
    actor: str = Field(max_length=120)
    object: str = Field(max_length=200)
    domain: str = Field(max_length=80)
    result: str = Field(max_length=20)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sequence: int | None = Field(default=None, unique=True)
    leaf: str | None = Field(default=None, max_length=64)


class LedgerLease(SQLModel, table=True):
    """Who may number records: ``fence`` grows with every change of hands, and the older number loses."""

    __tablename__ = "ledger_lease"

    name: str = Field(primary_key=True, max_length=40)
    owner: str = Field(max_length=200)
    fence: int
    until: datetime = Field(sa_type=UtcDateTime)


class LedgerWish(SQLModel, table=True):
    """Somebody waits until ``record`` is published: the sequencer does not let the second go by."""

    __tablename__ = "ledger_wish"

    record: str = Field(primary_key=True, max_length=32)


class LedgerCheckpoint(SQLModel, table=True):
    """A signed checkpoint: one for each ``size``, ever. ``root`` is hexadecimal, ``note`` the signed note.

    ``published_at`` is empty until tiles and checkpoint are in the log's directory and in its mirror.
    """

    __tablename__ = "ledger_checkpoint"

    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: str = Field(max_length=64)
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class WitnessedLog(SQLModel, table=True):
    """As a witness: the newest checkpoint of another log that we cosigned; ``recorded_at`` is its last record's time.

    The size only grows. ``note`` is the signed note as it was submitted.
    """

    __tablename__ = "witnessed_log"

    origin: str = Field(primary_key=True, max_length=200)
    size: int = Field(sa_type=BigInteger)
    root: str = Field(max_length=64)
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RefusedCheckpoint(SQLModel, table=True):
    """As a witness: a checkpoint that its log did sign and that we did not cosign, once for each and each reason."""

    __tablename__ = "refused_checkpoint"

    origin: str = Field(primary_key=True, max_length=200)
    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: str = Field(primary_key=True, max_length=64)
    reason: str = Field(primary_key=True, max_length=40)
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class KeptCosignature(SQLModel, table=True):
    """As a log: a witness's line under our checkpoint of ``size``; ``shown_at`` is empty until it is in the files."""

    __tablename__ = "cosignature"

    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    witness: str = Field(primary_key=True, max_length=200)
    line: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)
    shown_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class WitnessProgress(SQLModel, table=True):
    """As a log: how far a witness has followed us, and what was wrong the last time (empty when nothing was)."""

    __tablename__ = "witness_progress"

    witness: str = Field(primary_key=True, max_length=200)
    size: int = Field(default=0, sa_type=BigInteger)
    tried_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: str = ""


class TimestampToken(SQLModel, table=True):
    """An RFC 3161 answer over the checkpoint of ``size``; ``at`` is its genTime, ``shown_at`` as for cosignatures."""

    __tablename__ = "timestamp_token"

    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    authority: str = Field(max_length=200)
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)
    obtained_at: datetime = Field(sa_type=UtcDateTime)
    shown_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class EvidenceBody(SQLModel, table=True):
    """What is personal or classified about a record, with its commitment's salt (``body.py``); empty when erased."""

    __tablename__ = "evidence_body"

    record: str = Field(primary_key=True, max_length=32)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    erased_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    erased_by: str = Field(default="", max_length=120)


class EvidenceHold(SQLModel, table=True):
    """A legal hold: what it names is neither purged nor erased while it lasts (``hold.py``).

    ``kind`` is object, domain or records, ``value`` says which. Its reason is the body of the record ``id``.
    """

    __tablename__ = "evidence_hold"

    id: str = Field(primary_key=True, max_length=32)
    kind: str = Field(max_length=20)
    value: str = Field(max_length=200)
    until: datetime = Field(sa_type=UtcDateTime)
    placed_by: str = Field(max_length=120)
    placed_at: datetime = Field(sa_type=UtcDateTime)
    released_by: str = Field(default="", max_length=120)
    released_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


#: The state of a purge whose rows may still be taken (``purge.State``; the store's triggers know it, too).
PURGE_DECIDED = "decided"


class EvidencePurge(SQLModel, table=True):
    """A purge that was decided: ``id`` is that of the record that names its numbers, ``numbers`` the same as JSON.

    ``state`` says how far it was carried out (``purge.py``), ``outcome`` is the id of the record that says it is done.
    """

    __tablename__ = "evidence_purge"

    id: str = Field(primary_key=True, max_length=32)
    at: datetime = Field(sa_type=UtcDateTime)
    numbers: str
    state: str = Field(index=True, max_length=12)
    outcome: str = Field(default="", max_length=32)


class EvidenceReference(SQLModel, table=True):
    """Which records speak of what (``reference.py``): an index, made from the records and made again at any time."""

    __tablename__ = "evidence_reference"

    value: str = Field(primary_key=True, max_length=220)
    sequence: int = Field(primary_key=True, index=True, sa_column_kwargs={"autoincrement": False})
