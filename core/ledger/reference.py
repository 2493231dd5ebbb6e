"""Which records speak of what: an index over the numbered records, made by a job and made again at any time.

A reference is ``kind:value``. What a record is *about* (its object) is told from what it merely names by ``of ``
before it: a certificate has a handful of the first and perhaps a hundred thousand of the second.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import insert
from sqlmodel import Session, col, func, select

from core.ledger.entry import JsonValue
from core.ledger.models import EvidenceReference, EvidenceRow
from core.ledger.stub import parse_stub

#: Before a reference: the record is about it.
OF = "of "

#: Before a reference: who or what made the record.
BY = "by "

#: Records indexed in one transaction.
BATCH = 1_000

#: Members of details by the kind of what they name. Their own kind (``certificate:…``) is taken where they carry one.
KINDS: Mapping[str, str] = {
    "approval": "approval",
    "approver": "person",
    "candidates": "request",
    "domain": "domain",
    "hold": "record",
    "holder": "person",
    "person": "person",
    "post": "post",
    "proposal": "approval",
    "proposer": "person",
    "purge": "record",
    "record": "record",
    "records": "record",
    "request_id": "request",
    "serial": "certificate",
    "serials": "certificate",
    "successor": "person",
}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[^\s\x00-\x1f]{1,160}")

#: Actors that are no person of the register.
_NOBODY = {"anonymous", "founding", "recovery"}


def references_of(row: EvidenceRow) -> set[str]:
    """Return every reference of a record; always one at least, that of its own id."""
    own = f"{OF}record:{row.identifier}"
    stub = parse_stub(row.content)
    if stub is not None:
        return {own, f"record:{stub.by}"}
    found = {own, *_named(json.loads(row.content)["details"])}
    if row.object:
        found.add(OF + row.object)
    actor = actor_of(row.actor)
    return found | ({BY + actor} if actor else set())


def actor_of(actor: str) -> str:
    """Return the reference of who acted, empty for nobody of the register."""
    if not actor or actor in _NOBODY:
        return ""
    return actor if ":" in actor else f"person:{actor}"


def named_in(details: Mapping[str, JsonValue]) -> list[str]:
    """Return what the details of a record name, in the order in which they say it."""
    return list(dict.fromkeys(_named(details)))


def _named(value: JsonValue, member: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _named(one, name)
    elif isinstance(value, str):
        yield from _reference(value, member)
    elif isinstance(value, Collection):
        for one in value:
            yield from _named(one, member)


def _reference(value: str, member: str) -> Iterator[str]:
    if "sha256" in member and _SHA256.fullmatch(value):
        yield f"sha256:{value}"
    kind = KINDS.get(member)
    if kind is not None and _WORD.fullmatch(value):
        yield value if value.partition(":")[0] in KINDS.values() else f"{kind}:{value}"


def index_next(session: Session) -> int:
    """Index the next records in the order of their numbers; return how many."""
    behind = select(EvidenceRow).where(col(EvidenceRow.sequence) > indexed(session))
    rows = session.exec(behind.order_by(col(EvidenceRow.sequence)).limit(BATCH)).all()
    entered = [{"value": value, "sequence": row.sequence} for row in rows for value in sorted(references_of(row))]
    if entered:
        session.execute(insert(EvidenceReference), entered)
    return len(rows)


def indexed(session: Session) -> int:
    """Return the number of the last record that is indexed, -1 before the first."""
    return session.exec(select(func.coalesce(func.max(EvidenceReference.sequence), -1))).one()
