"""Notes on records: signed, erasable, and not to be guessed afterwards; on both stores."""

import hashlib
import json
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event
from sqlmodel import Session, select

from core import signed
from core.approval import erasure
from core.ledger import annotating, annotation, body, evidence, search
from core.ledger.annotation import Note
from core.ledger.entry import Event
from core.ledger.errors import BodyErased, UnknownRecord
from core.ledger.models import EvidenceBody, EvidenceRow
from core.signed import SignedAct
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.custodian import APPROVER, PROPOSER
from tests.core.ledger.logs import Log
from tests.core.signers import Signer, certified
from tests.people import enter_province

AUDITOR = "wei-auditor"
NOTE = Note("演练样本 李文", "5a" * 32)
ERASE = erasure.act(custodian.REGISTER, custodian.NUMBERS)


@pytest.fixture
def auditor(log: Log, clock: ManualClock) -> Signer:
    with log.database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
        return certified(session, AUDITOR, clock.now())


def told(log: Log) -> str:
    with log.database.write() as session:
        return evidence.append(
            session, Event("test.thing.made", "li-wen", "thing:1", "outer-finance"), at=log.clock.now()
        )


def word(auditor: Signer, log: Log, record: str, note: Note = NOTE) -> SignedAct:
    at, on, digest = log.clock.now(), annotation.object_of(record), annotation.digest_of(note)
    signature = auditor.sign(annotation.ACT, on, digest, at)
    return auditor.peer(at).verify(signature, act=annotation.ACT, object_=on, digest=digest)


def annotate(auditor: Signer, log: Log, record: str, proof: SignedAct) -> str:
    with log.database.write() as session:
        return annotating.annotate(session, record, NOTE, proof, serial=auditor.serial, at=log.clock.now())


def test_the_same_signed_note_is_noted_once_numbered_or_not(log: Log, auditor: Signer) -> None:
    record = told(log)
    proof = word(auditor, log, record)
    made = annotate(auditor, log, record, proof)
    assert annotate(auditor, log, record, proof) == made
    log.sequencer().run_once()
    assert annotate(auditor, log, record, proof) == made
    with log.database.read() as session:
        assert [row.identifier for row in _notes(session, record)] == [made]
        assert body.read(session, made) == {"text": NOTE.text, "salt": NOTE.salt}
    with pytest.raises(UnknownRecord):
        annotate(auditor, log, "0" * 32, word(auditor, log, "0" * 32))


def test_after_its_erasure_nothing_that_stays_tells_a_right_guess_from_a_wrong_one(
    log: Log, auditor: Signer, clock: ManualClock
) -> None:
    record = told(log)
    made = annotate(auditor, log, record, word(auditor, log, record))
    with log.database.read() as session:
        salt = session.get_one(EvidenceBody, made).salt
    clock.advance(days=7 * 366)
    with log.database.write() as session:
        ERASE.carry_out(session, {"record": made}, PROPOSER, APPROVER, clock.now())
    log.sequencer().run_once()
    log.check()
    with log.database.read() as session:
        with pytest.raises(BodyErased):
            body.read(session, made)
        (kept,) = _notes(session, record)
        stays = b"".join(session.exec(select(EvidenceRow.content))) + b"".join(
            path.read_bytes()
            for root in (log.directory, log.mirror)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        )
    statement = json.loads(json.loads(kept.content)["details"]["signed"]["text"])
    assert statement["digest"] == signed.digest({"salt": NOTE.salt, "text": NOTE.text})
    for guess in (NOTE.text.encode(), signed.canonical(NOTE.text), signed.canonical({"text": NOTE.text})):
        assert hashlib.sha256(guess).hexdigest().encode() not in stays
    for secret in (NOTE.salt.encode(), salt, salt.hex().encode(), NOTE.text.encode()):
        assert secret not in stays


def test_earlier_notes_are_found_by_an_index(log: Log, auditor: Signer) -> None:
    """Over a million records nobody can wait for one look at each of them."""
    record = told(log)
    log.sequencer().run_once()
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
        if statement.startswith("SELECT"):
            sqlite = connection.dialect.name == "sqlite"
            prefix = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            with closing(connection.connection.cursor()) as cursor:
                if not sqlite:
                    # Over a handful of rows it would take them all.
                    cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute(prefix + statement, parameters)
                plans.append("\n".join(str(line) for line in cursor.fetchall()))

    event.listen(log.database.engine, "before_cursor_execute", explain)
    with log.database.read() as session:
        assert search.about(session, f"record:{record}", type_="ledger.record.annotated") == []
    assert len(plans) == 2, plans
    assert "uq_evidence_sequence" in plans[0] or "sequence=?" in plans[0]
    assert "ix_evidence_object" in plans[1]
    assert not any("SCAN" in plan or "Seq Scan" in plan for plan in plans), plans


def _notes(session: Session, record: str) -> list[EvidenceRow]:
    return search.about(session, annotation.object_of(record), type_="ledger.record.annotated")
